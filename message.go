package tutti

// A Form says how the payload of a Message travels to clients.
type Form uint8

const (
	// Object is a JSON object that every client receives exactly as it came, as
	// the payload of the channel event Message.Event ("broadcast",
	// "presence_diff", "system").
	Object Form = iota
	// JSON is the payload of a user's broadcast named Message.Event: binary
	// kind 4 for V2 clients, wrapped into an object for V1 clients.
	JSON
	// Binary is the same with bytes that are not JSON. V1 clients cannot
	// receive it.
	Binary
)

// A Message goes to all who listen to its topic. It is not changed once it has
// been published; Payload and Meta are not aliases of a buffer that is reused.
type Message struct {
	Topic   Topic
	Form    Form
	Event   string
	Payload []byte
	Meta    []byte // a JSON object, or empty; travels with JSON and Binary only
	Sender  uint64 // the channel that sent it, 0 for none: it hears itself only if it asked to
}

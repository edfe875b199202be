package phoenix

// HeartbeatTopic is the topic of heartbeats; it needs no join.
const HeartbeatTopic = "phoenix"

// Events that clients send.
const (
	EventHeartbeat   = "heartbeat"
	EventJoin        = "phx_join"
	EventLeave       = "phx_leave"
	EventAccessToken = "access_token"
	EventPresence    = "presence"
	EventBroadcast   = "broadcast" // both ways
)

// Events that the server sends.
const (
	EventReply           = "phx_reply"
	EventClose           = "phx_close"
	EventError           = "phx_error"
	EventSystem          = "system"
	EventPresenceState   = "presence_state"
	EventPresenceDiff    = "presence_diff"
	EventPostgresChanges = "postgres_changes"
)

// eventName returns b as a string, without allocating for the events above.
func eventName(b []byte) string {
	switch string(b) {
	case EventHeartbeat:
		return EventHeartbeat
	case EventJoin:
		return EventJoin
	case EventLeave:
		return EventLeave
	case EventAccessToken:
		return EventAccessToken
	case EventPresence:
		return EventPresence
	case EventBroadcast:
		return EventBroadcast
	case EventReply:
		return EventReply
	case EventClose:
		return EventClose
	case EventError:
		return EventError
	case EventSystem:
		return EventSystem
	case EventPresenceState:
		return EventPresenceState
	case EventPresenceDiff:
		return EventPresenceDiff
	case EventPostgresChanges:
		return EventPostgresChanges
	}
	return string(b)
}

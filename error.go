package tutti

import "errors"

// An Error is a refusal that a client may see. Everything else that goes wrong
// is the server's own affair: it is logged, and shown as UnknownError.
type Error struct {
	Code   string // one of the codes below, "" for texts that carry none
	Reason string // cause and, where there is one, the cure
}

// Error returns the text as it stands in a reply: "Code: Reason".
func (e *Error) Error() string {
	if e.Code == "" {
		return e.Reason
	}
	return e.Code + ": " + e.Reason
}

// ErrNoTenant says that there is no such tenant.
var ErrNoTenant = errors.New("tenant not found")

// ErrUnavailable says that something that the server depends on cannot be
// reached, or did not answer in time. It is worth asking again later.
var ErrUnavailable = errors.New("unavailable for now")

// Codes of refusals, as the official clients and their documents know them.
const (
	TopicNameRequired          = "TopicNameRequired"
	RealtimeRestarting         = "RealtimeRestarting"
	TenantNotFound             = "TenantNotFound"
	PrivateOnly                = "PrivateOnly"
	ConnectionRateLimitReached = "ConnectionRateLimitReached"
	ClientJoinRateLimitReached = "ClientJoinRateLimitReached"
	ChannelRateLimitReached    = "ChannelRateLimitReached"
	InvalidJWTToken            = "InvalidJWTToken"
	MalformedJWT               = "MalformedJWT"
	JwtSignatureError          = "JwtSignatureError"
	JwtSignerError             = "JwtSignerError"
	Unauthorized               = "Unauthorized"
	UnableToReplayMessages     = "UnableToReplayMessages"
	RealtimeDisabledForTenant  = "RealtimeDisabledForTenant"
	UnknownErrorOnChannel      = "UnknownErrorOnChannel"
	InvalidJoinPayload         = "InvalidJoinPayload"
	RlsPolicyError             = "RlsPolicyError" // for the log; the client is told Unauthorized
	QueryCanceled              = "QueryCanceled"
	MissingPartition           = "MissingPartition"
	IncreaseConnectionPool     = "IncreaseConnectionPool"
	UnableToConnectToProject   = "UnableToConnectToProject"
	DatabaseLackOfConnections  = "DatabaseLackOfConnections"
	DatabaseSettingsInvalid    = "DatabaseSettingsInvalid" // the tenant's settings make no sense
	DatabaseNotPrepared        = "DatabaseNotPrepared"     // its owner can put right what is wrong with it

	InitializingProjectConnection = "InitializingProjectConnection"

	ExtensionSettingsInvalid = "ExtensionSettingsInvalid" // of a tenant: the extension is off for it
	ExtensionPanicked        = "ExtensionPanicked"        // the room is opened anew, or closed when it does so again and again
	ExtensionStalled         = "ExtensionStalled"         // a call took too long: the room was left behind, and another opened
	ExtensionOverloaded      = "ExtensionOverloaded"      // the room has more events waiting than it may
	ExtensionUnavailable     = "ExtensionUnavailable"     // the room cannot be opened, or nobody knows where it is
	ExtensionRoomMoved       = "ExtensionRoomMoved"       // the event was on its way while the room went to another node
	ExtensionEventReserved   = "ExtensionEventReserved"   // only the room may say that
	ExtensionStateTooLarge   = "ExtensionStateTooLarge"   // what a room wanted to keep, and did not
	ExtensionNotPrepared     = "ExtensionNotPrepared"     // the tenant's database lacks what the extension needs
)

// ErrUnknown is what a client is told when the fault is ours.
var ErrUnknown = &Error{Reason: "Unknown Error on Channel"}

package explain

import "net/http"

// clients is what clients are told. Texts are those of the reference, which clients
// of old read.
var clients = []Entry{
	{
		Code: "MissingAPIKey", Seen: []Place{Connection}, Status: http.StatusUnauthorized, Text: "API key is missing",
		Cause: "there is no apikey in the query and no x-api-key header",
		Cure:  "pass the key to createClient",
	}, {
		Code: "InvalidJWTToken", Seen: []Place{Connection, Join, Channel}, Status: http.StatusUnauthorized,
		Text:  "Token has expired; Fields `role` and `exp` are required in JWT",
		Cause: "the token is past its exp, or lacks a claim that it must have",
		Cure:  "a new token (call setAuth before the old one ends); check the clock of whoever signs",
	}, {
		Code: "MalformedJWT", Seen: []Place{Connection, Join, Channel}, Status: http.StatusUnauthorized,
		Text:  "The token provided is not a valid JWT",
		Cause: "it is not three base64url parts, or an sb_ key that no gateway has replaced",
		Cure:  "use the JWT key",
	}, {
		Code: "JwtSignatureError", Seen: []Place{Connection, Join, Channel}, Status: http.StatusUnauthorized,
		Text:  "Failed to validate JWT signature",
		Cause: "the token was signed with another secret or key than the tenant has",
		Cure:  "check the tenant's jwt_secret, and that the host names the right tenant",
	}, {
		Code: "JwtSignerError", Seen: []Place{Connection, Join, Channel}, Status: http.StatusUnauthorized,
		Text:  "Failed to generate JWT signer",
		Cause: "the tenant has no key for the token's alg and kid",
		Cure:  "check the tenant's jwt_jwks",
	}, {
		Code: "ErrorConnectingToWebsocket", Seen: []Place{Connection}, Status: http.StatusInternalServerError,
		Text:  "Error connecting to Realtime",
		Cause: "a claim of the token is not as it must be, or something that the server needs does not answer",
		Cure:  "the server's log says which",
	}, {
		Code: "TenantNotFound", Seen: []Place{Connection, Join, HTTP}, Status: http.StatusNotFound, Text: "Tenant not found",
		Cause: "the first label of the host is no tenant, or the tenant was deleted",
		Cure:  "check the URL; DEFAULT_TENANT is the tenant of hosts that name none",
	}, {
		Code: "RealtimeDisabledForTenant", Seen: []Place{Connection, Join, HTTP}, Status: http.StatusForbidden,
		Text:  "Realtime was disabled for this tenant",
		Cause: "the tenant is suspended",
		Cure:  "set suspend to false",
	}, {
		Code: "ConnectionRateLimitReached", Seen: []Place{Connection, Join}, Status: http.StatusTooManyRequests, Text: "Too many connected users",
		Cause: "the tenant has max_concurrent_users on all nodes together",
		Cure:  "raise the limit, or close sockets that are not used",
	}, {
		Code: "JoinsRateLimitReached", Seen: []Place{Connection}, Status: http.StatusTooManyRequests, Text: "Too many joins per second",
		Cause: "the tenant is over max_joins_per_second",
		Cure:  "raise the limit; look for clients that rejoin in a loop",
	}, {
		Code: "ClientJoinRateLimitReached", Seen: []Place{Join}, Text: "Too many joins per second",
		Cause: "the tenant is over max_joins_per_second; the socket closes with 1001",
		Cure:  "raise the limit; look for clients that rejoin in a loop",
	}, {
		Code: "ChannelRateLimitReached", Seen: []Place{Join}, Text: "Too many channels",
		Cause: "this socket has max_channels_per_client channels",
		Cure:  "leave channels that are not used, or raise the limit",
	}, {
		Code: "OriginNotAllowed", Seen: []Place{Connection, HTTP}, Status: http.StatusForbidden,
		Text:  "Pages of this origin may not use this server",
		Cause: "the page comes from an origin that is neither in ALLOWED_ORIGINS nor the server's own, or that the tenant's extension origins does not name",
		Cure:  "add the origin to ALLOWED_ORIGINS, and to the tenant's list if it has one",
	}, {
		Code: "TooManyBadTokens", Seen: []Place{Connection, HTTP}, Status: http.StatusTooManyRequests,
		Text:  "Too many bad tokens from this address",
		Cause: "the client's address has shown more than MAX_BAD_TOKENS_PER_MINUTE tokens that are no good, or names that are no tenants",
		Cure:  "wait as long as Retry-After says, and show a good token; name your proxy in TRUSTED_PROXIES, so that its clients are told apart",
	}, {
		Code: "ServerOverloaded", Seen: []Place{Connection, HTTP}, Status: http.StatusServiceUnavailable,
		Text:  "The server is overloaded, please try again",
		Cause: "more requests wait for their tokens to be verified than may wait, or the bodies of requests hold MAX_BODY_BYTES together",
		Cure:  "try again after a second; more nodes or cores, MAX_VERIFICATIONS, or a quicker kind of signature",
	}, {
		Code: "ServerFull", Seen: []Place{Connection}, Status: http.StatusServiceUnavailable,
		Text:  "This node has as many connections as it may",
		Cause: "the node has MAX_CONNECTIONS WebSockets",
		Cure:  "try again: another node may have room; raise MAX_CONNECTIONS or add nodes",
	}, {
		Code: "RealtimeRestarting", Seen: []Place{Connection, Join}, Status: http.StatusServiceUnavailable,
		Text:  "Realtime is restarting, please standby",
		Cause: "the node is stopping; Retry-After says when to come again",
		Cure:  "nothing: clients come back by themselves, and a load balancer that asks /health/ready sends nobody here",
	}, {
		Code: "TopicNameRequired", Seen: []Place{Join},
		Cause: "the topic is realtime: and no more",
		Cure:  "name the channel",
	}, {
		Code: "Unauthorized", Seen: []Place{Join, Channel},
		Cause: "no policy on realtime.messages lets this user read the private topic, or write what he sent",
		Cure:  "a policy for the role; `tutti doctor` shows what the database has",
	}, {
		Code: "PrivateOnly", Seen: []Place{Join},
		Cause: "the tenant has private_only, and the channel is public",
		Cure:  "join with private: true",
	}, {
		Code: "InvalidJoinPayload", Seen: []Place{Node},
		Cause: "a part of the join payload is of the wrong kind, and was taken for its default",
		Cure:  "the line names it",
	}, {
		Code: "UnknownErrorOnChannel", Seen: []Place{Join},
		Cause: "the join payload has a part of the wrong kind, which the text names",
		Cure:  "send what the text asks for",
	}, {
		Code: "UnableToReplayMessages", Seen: []Place{Join},
		Cause: "replay was asked of a public channel, its numbers make no sense, or the database gave no answer",
		Cure:  "ask for replay on private channels, with whole numbers",
	}, {
		Code: "MalformedWebSocketMessage", Seen: []Place{Channel, Node},
		Cause: "a client sent what is no message of the protocol",
		Cure:  "see what the client sends; the console at / shows frames",
	}, {
		Code: "UnknownErrorOnWebSocketMessage", Seen: []Place{Channel, Node},
		Cause: "a message has the form of one, and a field of the wrong kind",
		Cure:  "see what the client sends; the console at / shows frames",
	}, {
		Code: "RealtimeDisabledForConfiguration", Seen: []Place{Changes, Node},
		Cause: "an entry of postgres_changes cannot be served: no published table of this name, or a filter that cannot be read",
		Cure:  "ALTER PUBLICATION supabase_realtime ADD TABLE …; the text says which entry",
	}, {
		Code: "ChannelShutdown", Seen: []Place{Node},
		Cause: "a channel was closed because its client went over a limit or its token ended",
		Cure:  "the line says why",
	}, {
		Code: "SlowClient", Seen: []Place{Node},
		Cause: "a client did not take what it was sent, and was closed with 1013",
		Cure:  "nothing, where it is one; CLIENT_QUEUE_BYTES and CLIENT_QUEUE_AGE_MS say how patient the server is",
	},
}

// What went wrong, in words: the cause and what to do about it. Pure.

import { rowWords } from './rowwords'

export type Explanation = { title: string; cause: string; cure: string; command?: string }

type Words = readonly [cause: string, cure: string, command?: string]

// As wide as a first try needs; whoever ships it narrows it.
const readPolicy = `CREATE POLICY "may read" ON realtime.messages
  FOR SELECT TO authenticated USING (true);`

// The codes that begin a reason, as in "PrivateOnly: This project ...".
const codes: Readonly<Record<string, Words>> = {
  TopicNameRequired: ['The topic has no name.', 'Type a name, for example lobby.'],
  RealtimeRestarting: ['The server is shutting down or starting again.', 'Wait a few seconds; the client joins again by itself.'],
  TenantNotFound: [
    'No tenant belongs to this host name. The tenant is the part of the host before the first dot.',
    'Check the server address, or create the tenant on the server.',
  ],
  PrivateOnly: ['This tenant refuses public topics.', 'Tick “Private” and join again with a token that the policies allow, or set private_only to false for the tenant.'],
  ConnectionRateLimitReached: ['The tenant already has as many connected clients as it may have (max_concurrent_users).', 'Close other clients, or raise the limit.'],
  ClientJoinRateLimitReached: ['The tenant joins topics faster than it may (max_joins_per_second), so the server also closed this socket.', 'Wait a minute. Then look for a client that joins in a loop, or raise the limit.'],
  ChannelRateLimitReached: ['This connection has joined as many topics as it may (max_channels_per_client).', 'Leave a topic, or raise the limit.'],
  InvalidJWTToken: ['The token has expired, or its claims “role” and “exp” are not both there.', 'Get a fresh token. The restarted server prints a link with a new key.'],
  MalformedJWT: ['The token is not a JWT: it needs three parts with dots between them.', 'Paste the whole token, without quotes or “Bearer”.'],
  JwtSignatureError: ['The token was signed with another secret than this tenant has.', 'Take the key of this server, or check jwt_secret and jwt_jwks of the tenant.'],
  JwtSignerError: ['The tenant has no key that fits the token’s “alg” and “kid”.', 'Add the public key to jwt_jwks, or sign with an algorithm the tenant knows.'],
  Unauthorized: [
    'The policies on realtime.messages do not let this token read the topic.',
    'Set a user token, or add a policy for SELECT on realtime.messages that allows its role and topic. realtime.topic() is the topic in it.',
    readPolicy,
  ],
  UnableToReplayMessages: ['Old messages could not be replayed.', 'Replay needs a private topic, a whole number of milliseconds in “since”, and a database that answers.'],
  RealtimeDisabledForTenant: ['The tenant is suspended.', 'Set suspend to false for the tenant.'],
  InvalidJoinPayload: ['The server did not understand the configuration of the join.', 'Compare the phx_join frame in the log with the documents of the protocol.'],
  UnknownErrorOnChannel: ['Something failed inside the server.', 'Look into the server’s log at this moment.'],
  IncreaseConnectionPool: ['The policy checks wait too long for a database connection.', 'Raise db_pool of the tenant.'],
  DatabaseLackOfConnections: ['The database accepts no more connections.', 'Close idle ones, or raise max_connections of the database.'],
  DatabaseConnectionRateLimitReached: ['Connecting to the tenant’s database failed several times within seconds.', 'Check host, port and password of the tenant’s database.'],
  UnableToConnectToProject: ['The server cannot reach the tenant’s database, which private topics need.', 'Check that the database runs and that its settings are right. Public topics work without it.'],
  InitializingProjectConnection: ['The server is still connecting to the tenant’s database.', 'Wait; the client joins again by itself.'],
  QueryCanceled: ['The database stopped the policy check.', 'Look for slow policies and a short statement_timeout.'],
  MissingPartition: ['The table realtime.messages has no partition for today.', 'Let the server create it: look for a failed migration in its log.'],
}

// Texts without a code.
const texts: readonly (readonly [RegExp, Words])[] = [
  [/^unmatched topic$/i, ['The server does not serve topics of this form, or the topic is not joined.', 'Join it first. Names on the wire begin with “realtime:”; this page adds that itself.']],
  [/too many channels joined/i, ['This connection has joined more topics than the server ever allows.', 'Leave topics.']],
  [/unknown error on channel/i, ['Something failed inside the server.', 'Look into the server’s log at this moment.']],
  [/client presence rate limit/i, ['This channel called track or untrack too often within 30 seconds, so the server closed it.', 'Wait, then join again. Update a state less often, or raise the limit.']],
  [/too many presence messages/i, ['All clients of the tenant together change presence faster than it may.', 'Wait, then join again, or raise max_presence_events_per_second.']],
  [/too many messages per second/i, ['All clients of the tenant together exchange more messages than it may, so the server closed the channel.', 'Send less, then join again, or raise max_events_per_second.']],
  [/track message size/i, ['The presence state is larger than the tenant may send.', 'Track less, or raise max_payload_size_in_kb.']],
  [/payload_size_exceeded/i, ['The payload is larger than the tenant may send.', 'Send less, or raise max_payload_size_in_kb.']],
  [/unable to connect to the project database/i, ['The server cannot reach the tenant’s database, which private topics need.', 'Check that the database runs, then join again.']],
  [/query was cancelled/i, ['The database stopped the policy check.', 'Look for slow policies and a short statement_timeout, then join again.']],
  [/server requested disconnect/i, ['The tenant’s secret or settings changed, so the server disconnected all its clients.', 'The client connects again by itself; it may need a new key.']],
  [/token has expired/i, codes.InvalidJWTToken!],
  [/fields `?role`? and `?exp`?/i, codes.InvalidJWTToken!],
  [/not a valid JWT/i, codes.MalformedJWT!],
  [/validate JWT signature|signature_error/i, codes.JwtSignatureError!],
  [/generate JWT signer|generating_signer/i, codes.JwtSignerError!],
  [/permissions? to (read|write)/i, codes.Unauthorized!],
  [/api key is missing/i, ['The request carried no key.', 'Paste the key that the server printed at its start.']],
  [/tenant not found/i, codes.TenantNotFound!],
  [/is restarting/i, codes.RealtimeRestarting!],
  [/disabled for this tenant/i, codes.RealtimeDisabledForTenant!],
  [/too many connected users/i, codes.ConnectionRateLimitReached!],
  [/too many joins/i, ['The tenant joins topics faster than it may (max_joins_per_second).', 'Wait a minute. Then look for a client that joins in a loop, or raise the limit.']],
  [/timed? ?out/i, ['The server did not answer in time.', 'Check the connection and the server’s log; the client tries again by itself.']],
]

/** Explains a reason in which the server refuses a join, a push or a handshake, or what it says of changes. */
export function explain(reason: string): Explanation {
  const code = /^(\w+): /.exec(reason)?.[1] ?? reason
  const words = (Object.hasOwn(codes, code) ? codes[code] : undefined) ?? rowWords(reason) ?? texts.find(([pattern]) => pattern.test(reason))?.[1]
  const [cause, cure, command] = words ?? ['This page has no words for that reason.', 'Look at the frame in the log and into the server’s log.']
  return { title: reason || 'No reason given', cause, cure, ...(command && { command }) }
}

const closes: Readonly<Record<number, Words>> = {
  1000: ['One side ended the connection as planned, or the server heard nothing for a minute.', 'The client connects again unless you disconnected.'],
  1001: ['The server sent this one connection away: the tenant is gone, or it joins topics too fast.', 'Look at the last replies in the log.'],
  1002: ['The server received a frame that breaks the WebSocket protocol.', 'Look for a proxy between here and the server that changes frames.'],
  1006: ['The connection broke without a farewell.', 'Check the network and that the server still runs.'],
  1009: ['A frame was larger than the server reads (5,000,000 bytes).', 'Send less in one message.'],
  1011: ['Something failed inside the server.', 'Look into the server’s log at this moment.'],
  1012: ['The server restarts, or the tenant’s settings changed.', 'The client connects again by itself; it may need a new key.'],
}

/** Explains why a socket closed. A browser never sees why a handshake was refused. */
export function explainClose(code: number, wasOpen: boolean): Explanation {
  if (!wasOpen) {
    return {
      title: 'The server refused the connection, or nobody listens there',
      cause: 'A browser does not tell a page why a handshake failed.',
      cure: 'Check four things: the server runs at this address; the key is whole, not expired and belongs to this server; the host name is the tenant’s; and a proxy in between lets WebSockets through.',
    }
  }
  const [cause, cure] = closes[code] ?? ['The server closed the connection.', 'Look at the last frames in the log.']
  return { title: `Connection closed with code ${code}`, cause, cure }
}

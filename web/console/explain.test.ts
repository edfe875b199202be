import { describe, expect, test } from 'vitest'
import { explain, explainClose } from './explain'

const unknown = explain('a reason that nobody knows')

describe('explain', () => {
  const reasons: Record<string, string> = {
    'InvalidJWTToken: Token has expired 12 seconds ago': 'expired',
    'Token has expired': 'expired',
    'Fields `role` and `exp` are required in JWT': 'role',
    'PrivateOnly: This project only allows private channels': 'public topics',
    'ClientJoinRateLimitReached: Too many joins per second': 'max_joins_per_second',
    'Unauthorized: You do not have permissions to read from this Channel topic: a': 'realtime.messages',
    'MalformedJWT: The token provided is not a valid JWT': 'three parts',
    'Failed to validate JWT signature': 'another secret',
    ':signature_error': 'another secret',
    'Failed to generate JWT signer, check your JWT secret or JWKS configuration': 'kid',
    'Tenant not found': 'before the first dot',
    'Realtime was disabled for this tenant': 'suspended',
    'Too many connected users': 'max_concurrent_users',
    'Client presence rate limit exceeded': 'track or untrack',
    'unmatched topic': 'of this form',
  }
  for (const [reason, cause] of Object.entries(reasons)) {
    test(reason, () => {
      const words = explain(reason)
      expect(words.title).toBe(reason)
      expect(words.cause).toContain(cause)
      expect(words.cure).not.toBe('')
    })
  }

  test('every code that a join may be refused with has words of its own', () => {
    for (const code of [
      'TopicNameRequired', 'RealtimeRestarting', 'TenantNotFound', 'PrivateOnly', 'ConnectionRateLimitReached',
      'ClientJoinRateLimitReached', 'ChannelRateLimitReached', 'InvalidJWTToken', 'MalformedJWT', 'JwtSignatureError',
      'JwtSignerError', 'Unauthorized', 'UnableToReplayMessages', 'RealtimeDisabledForTenant', 'UnknownErrorOnChannel',
      'InvalidJoinPayload', 'IncreaseConnectionPool', 'UnableToConnectToProject', 'InitializingProjectConnection',
    ]) {
      expect(explain(`${code}: x`).cause, code).not.toBe(unknown.cause)
    }
  })

  test('an unknown reason still says where to look', () => expect(unknown.cure).toContain('log'))
  test('a name that every object has is not a code', () => expect(explain('constructor: x').cause).toBe(unknown.cause))
  test('no reason at all has a title', () => expect(explain('').title).toBe('No reason given'))
})

describe('explainClose', () => {
  test('a refused handshake lists what to check', () => {
    const words = explainClose(1006, false)
    for (const hint of ['runs', 'key', 'host name', 'proxy']) expect(words.cure).toContain(hint)
  })
  test('a broken connection is not a refused one', () => expect(explainClose(1006, true).cause).toContain('broke'))
  test('a restart says that the client comes back', () => expect(explainClose(1012, true).cure).toContain('by itself'))
  test('an unknown code is named', () => expect(explainClose(4321, true).title).toContain('4321'))
})

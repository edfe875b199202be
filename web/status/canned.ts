// An answer of a cluster of four nodes, for tests.

const hour = 3_600_000

/** The time of the answer, in milliseconds since 1970. */
export const asked = Date.UTC(2030, 0, 1, 12)

const since = (hours: number) => new Date(asked - hours * hour).toISOString()

const bus = {
  sent: 1_234_567, received: 987_654, unwanted: 321, unsent: 0, missed: 12, late: 2, malformed: 0, unknown: 0, twins: 0, slow: 1,
  disconnects: 0, slow_peers: 2, topics: 310, subscriptions: 298, routes: 9, leases: 3,
}

/** Returns the answer, fresh: whoever gets it may change it. */
export function cluster() {
  return {
    version: '0.4.0', started: since(77), connections: 1200, topics: 310, tenants: 12, node: 'fra-1', region: 'eu-central', ready: true,
    cluster: {
      name: 'tutti', lost_after_ms: 5000, bus: { ...bus },
      nodes: [
        { id: 'fra-1', self: true, region: 'eu-central', version: '0.4.0', started: since(77), silent_ms: 0, missed: 12, addresses: ['10.0.0.1:4000'],
          load: { connections: 1190, feeds_owned: 3, feeds_followed: 4 }, round_trips: { 'fra-2': 0.42, 'iad-1': 91.2 } },
        { id: 'fra-2', self: false, region: 'eu-central', version: '0.4.0', started: since(76), round_trip_ms: 0.44, silent_ms: 310, missed: 0, addresses: ['10.0.0.2:4000'],
          load: { connections: 980, topics: 280, tenants: 11, feeds_owned: 4, feeds_followed: 3 }, round_trips: { 'fra-1': 0.45, 'iad-1': 90.7, 'sin-1': 163.1 } },
        { id: 'iad-1', self: false, region: 'us-east', version: '0.4.0', started: since(20), round_trip_ms: 91.2, silent_ms: 3400, missed: 0,
          load: { connections: 640, topics: 120, tenants: 8, feeds_owned: 0, feeds_followed: 2 }, round_trips: { 'fra-1': 90.9, 'fra-2': 90.8 } },
        { id: 'sin-1', self: false, region: 'ap-southeast', version: '0.3.9', started: since(0.2), round_trip_ms: 162, silent_ms: 120, missed: 0, leaving: true,
          load: { connections: 71, topics: 30, tenants: 3, feeds_owned: 0, feeds_followed: 1 }, round_trips: { 'fra-1': 163, 'fra-2': 163.3, 'iad-1': 224 } },
      ] as Record<string, unknown>[],
    },
  }
}

/** The answer of a node that is alone. */
export const single = { version: '0.4.0', started: since(1), connections: 7, topics: 5, tenants: 2, ready: true }

// Members of classrooms, as docs/music.md tells it.

import { broadcast, joined, newest } from './clients.mjs'
import { Heard } from './until.mjs'

/** Somebody in a room, who notes what the room says. */
export function member(server, topic, make = newest, { key, role, name = key, as = {}, config = {} } = {}) {
  const client = make(server, as)
  const channel = client.channel(topic, { config: { presence: { key, role, name }, ...config } })
  const heard = new Heard(`an event of ${key ?? name} in ${topic}`)
  const pongs = new Map()
  channel.on('broadcast', { event: 'clock_pong' }, ({ payload }) => pongs.set(payload.id, performance.now()))
  channel.on('broadcast', { event: '*' }, heard.add)
  channel.states = new Heard(`a state of ${topic}`)
  return {
    channel, client,
    say: (event, payload = {}) => broadcast(channel, event, payload),
    /** The payload of the first event of this name that the condition is true of. */
    hear: async (event, is = () => true) => (await heard.find((m) => m.event === event && is(m.payload), 10_000)).payload,
    /** When an answer of the clock came. */
    arrived: (id) => pongs.get(id),
    heard: (event) => heard.all.filter((m) => m.event === event).map(({ payload }) => payload),
    enter() {
      channel.subscribe((status, err) => channel.states.add({ status, err }))
      return this
    },
    async in() {
      await joined(channel)
      return this.hear('room_state')
    },
  }
}

/**
 * Asks a node for its time, and returns by how much its clock shows more than ours,
 * give or take error, both in ms: what the answers that were on the way shortest leave.
 */
export async function offset(one, pings = 20) {
  let [low, high] = [-Infinity, Infinity]
  for (let i = 0; i < pings; i++) {
    const id = `${Math.random()}`
    const c0 = performance.now()
    await one.say('clock_ping', { id, c0 })
    const { s1, s2 } = await one.hear('clock_pong', (pong) => pong.id === id)
    const c1 = one.arrived(id) ?? performance.now()
    low = Math.max(low, s2 - c1)
    high = Math.min(high, s1 - c0)
  }
  return { offset: (low + high) / 2, error: (high - low) / 2 }
}

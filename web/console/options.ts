// What a developer asks of a topic, as supabase-js wants it and as code. Pure.

import type { RealtimeChannelOptions } from '@supabase/supabase-js'

/** A wish for changes of a database. */
export type Binding = { event: '*' | 'INSERT' | 'UPDATE' | 'DELETE'; schema: string; table?: string; filter?: string }

export type RoomOptions = {
  name: string
  isPrivate: boolean
  self: boolean // hear what we send
  ack: boolean // the server confirms what we send
  presence: boolean
  presenceKey: string // "" lets the server choose
  bindings: Binding[]
  replay: Replay | null // private topics only
}

export type Replay = { minutes: number; limit: number }

/** The configuration of a channel that is joined at this time. */
export function channelOptions(options: RoomOptions, now: number): RealtimeChannelOptions {
  const { isPrivate, self, ack, presence, presenceKey, replay } = options
  const broadcast: RealtimeChannelOptions['config']['broadcast'] = { self, ack }
  // The library throws where it is not allowed.
  if (replay && isPrivate) broadcast.replay = { since: now - replay.minutes * 60_000, limit: replay.limit }
  return { config: { private: isPrivate, broadcast, presence: { key: presenceKey, enabled: presence } } }
}

/** Reads a binding as typed. What is left empty is left out; the schema is public then. */
export function readBinding(event: string, schema: string, table: string, filter: string): Binding {
  const binding: Binding = { event: event as Binding['event'], schema: schema.trim() || 'public' }
  if (table.trim()) binding.table = table.trim()
  if (filter.trim()) binding.filter = filter.trim()
  return binding
}

/** Leaves each binding once; the library ignores those that come again. */
export function distinct(bindings: Binding[]): Binding[] {
  const seen = new Set<string>()
  return bindings.filter((binding) => {
    const text = JSON.stringify(binding)
    return !seen.has(text) && seen.add(text)
  })
}

export function bindingInWords({ event, schema, table, filter }: Binding): string {
  return `${event === '*' ? 'any change' : event} of ${schema}.${table ?? '*'}${filter ? ` where ${filter}` : ''}`
}

export type SnippetSettings = { url: string; vsn: string; userToken: boolean; options: RoomOptions }

/** Writes the code that does with supabase-js what the page does. It holds no key. */
export function snippet({ url, vsn, userToken, options }: SnippetSettings): string {
  const o = options
  const client = vsn === '1.0.0' ? `, {\n  realtime: { vsn: '1.0.0' },\n}` : ''
  const replay = o.replay && o.isPrivate ? `, replay: { since: Date.now() - ${o.replay.minutes} * 60_000, limit: ${o.replay.limit} }` : ''
  const key = o.presenceKey ? `key: ${quote(o.presenceKey)}, ` : ''
  const lines = [
    `import { createClient } from '@supabase/supabase-js'`,
    '',
    `const supabase = createClient(${quote(url)}, 'YOUR_KEY'${client})`,
    ...(userToken ? [`await supabase.realtime.setAuth('USER_TOKEN')`] : []),
    '',
    `const channel = supabase.channel(${quote(o.name)}, {`,
    '  config: {',
    `    private: ${o.isPrivate},`,
    `    broadcast: { self: ${o.self}, ack: ${o.ack}${replay} },`,
    `    presence: { ${key}enabled: ${o.presence} },`,
    '  },',
    '})',
    `channel.on('broadcast', { event: '*' }, (message) => console.log('broadcast', message))`,
    ...(o.presence ? [`channel.on('presence', { event: 'sync' }, () => console.log('presence', channel.presenceState()))`] : []),
    ...o.bindings.map((binding) => `channel.on('postgres_changes', ${literal(binding)}, (change) => console.log('change', change))`),
    `channel.on('system', {}, (notice) => console.log('system', notice))`,
    `channel.subscribe((status, err) => console.log(status, err ?? ''))`,
  ]
  return lines.join('\n') + '\n'
}

function literal(binding: Binding): string {
  return `{ ${Object.entries(binding).map(([name, value]) => `${name}: ${quote(value)}`).join(', ')} }`
}

function quote(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`
}

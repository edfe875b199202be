// Frames as they stand on the wire, taken apart for reading. Pure: nothing here
// touches the page, and no input makes decode throw.

export type Direction = 'in' | 'out'

export type Kind =
  | 'text' // JSON, an array (2.0.0) or an object (1.0.0)
  | 'push' // binary 0
  | 'reply' // binary 1
  | 'broadcast' // binary 2
  | 'user broadcast push' // binary 3, client to server
  | 'user broadcast' // binary 4, server to client
  | 'malformed'

export type Frame = {
  direction: Direction
  kind: Kind
  size: number // bytes on the wire, without the WebSocket header
  joinRef: string | null
  ref: string | null
  topic: string
  event: string
  payload: unknown // a JSON value, or a Uint8Array when it is not JSON
  metadata?: unknown
  problem?: string // why it is malformed
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Takes one frame apart. Serializer versions are told apart by shape. */
export function decode(data: string | ArrayBuffer | Uint8Array, direction: Direction): Frame {
  const blank: Frame = {
    direction,
    kind: 'malformed',
    size: typeof data === 'string' ? new TextEncoder().encode(data).length : data.byteLength,
    joinRef: null,
    ref: null,
    topic: '',
    event: '',
    payload: data,
  }
  try {
    if (typeof data === 'string') return { ...blank, ...decodeText(data) }
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data)
    return { ...blank, ...decodeBinary(bytes, direction) }
  } catch (err) {
    return { ...blank, problem: err instanceof Error ? err.message : String(err) }
  }
}

function decodeText(text: string): Partial<Frame> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('the text is not JSON')
  }
  if (Array.isArray(value)) {
    if (value.length < 5) throw new Error(`the array has ${value.length} elements, 5 are needed`)
    const [joinRef, ref, topic, event, payload] = value
    return { kind: 'text', joinRef: word(joinRef), ref: word(ref), topic: String(topic), event: String(event), payload }
  }
  if (typeof value !== 'object' || value === null) throw new Error('the JSON is neither an array nor an object')
  const message = value as Record<string, unknown>
  for (const key of ['topic', 'event', 'payload', 'ref']) {
    if (!(key in message)) throw new Error(`the key "${key}" is missing`)
  }
  return {
    kind: 'text',
    joinRef: word(message.join_ref),
    ref: word(message.ref),
    topic: String(message.topic),
    event: String(message.event),
    payload: message.payload,
  }
}

function word(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

// The fields of each binary kind in the order of their length bytes. Kind 0 has
// no ref on its way to the client. A lone "encoding" byte ends the header of
// kinds 3 and 4.
const layouts: Record<string, { kind: Kind; fields: string[]; encoding: boolean }> = {
  '0out': { kind: 'push', fields: ['joinRef', 'ref', 'topic', 'event'], encoding: false },
  '0in': { kind: 'push', fields: ['joinRef', 'topic', 'event'], encoding: false },
  '1': { kind: 'reply', fields: ['joinRef', 'ref', 'topic', 'event'], encoding: false },
  '2': { kind: 'broadcast', fields: ['topic', 'event'], encoding: false },
  '3': { kind: 'user broadcast push', fields: ['joinRef', 'ref', 'topic', 'event', 'metadata'], encoding: true },
  '4': { kind: 'user broadcast', fields: ['topic', 'event', 'metadata'], encoding: true },
}

function decodeBinary(bytes: Uint8Array, direction: Direction): Partial<Frame> {
  const first = bytes[0]
  if (first === undefined) throw new Error('the binary frame is empty')
  const layout = layouts[first === 0 ? `0${direction}` : String(first)]
  if (!layout) throw new Error(`binary kind ${first} is unknown`)

  let at = 1 + layout.fields.length + (layout.encoding ? 1 : 0)
  if (bytes.length < at) throw new Error(`the header needs ${at} bytes, ${bytes.length} are there`)
  const encoding = layout.encoding ? bytes[at - 1] : 0

  const fields: Record<string, string> = {}
  layout.fields.forEach((name, i) => {
    const end = at + (bytes[1 + i] ?? 0)
    if (end > bytes.length) throw new Error(`the field ${name} ends at byte ${end}, the frame at ${bytes.length}`)
    fields[name] = text(bytes.subarray(at, end), name)
    at = end
  })

  const rest = bytes.slice(at)
  const frame: Partial<Frame> = {
    kind: layout.kind,
    joinRef: fields.joinRef || null,
    ref: fields.ref || null,
    topic: fields.topic ?? '',
    event: fields.event ?? '',
    payload: encoding === 0 ? rest : json(text(rest, 'payload'), 'payload'),
  }
  if (fields.metadata) frame.metadata = json(fields.metadata, 'metadata')
  return frame
}

function text(bytes: Uint8Array, name: string): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Error(`the field ${name} is not UTF-8`)
  }
}

function json(source: string, name: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    throw new Error(`the field ${name} is not JSON`)
  }
}

/** Writes a payload for people: indented JSON, or a hex dump. Tokens are cut short. */
export function pretty(payload: unknown, indent = 2): string {
  if (payload instanceof ArrayBuffer) return pretty(new Uint8Array(payload), indent)
  if (payload instanceof Uint8Array) return indent ? hexDump(payload) : `${hex(payload.subarray(0, 24))}${payload.length > 24 ? ' …' : ''}`
  if (typeof payload === 'string' && indent === 0) return payload
  return JSON.stringify(payload, mask, indent) ?? 'undefined'
}

// What people copy from the log ends up in bug reports: a token must not.
function mask(key: string, value: unknown): unknown {
  const secret = (key === 'access_token' || key === 'user_token') && typeof value === 'string'
  return secret ? `(${value.length} characters, hidden)` : value
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

function hexDump(bytes: Uint8Array): string {
  const limit = 4096
  const lines: string[] = []
  for (let at = 0; at < Math.min(bytes.length, limit); at += 16) {
    const row = bytes.subarray(at, at + 16)
    const shown = Array.from(row, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '·')).join('')
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex(row).padEnd(47)}  ${shown}`)
  }
  if (bytes.length > limit) lines.push(`… ${bytes.length - limit} bytes more`)
  return lines.join('\n') || '(empty)'
}

/** Puts all that is known about a frame into one text, for the log and for copying. */
export function describe(frame: Frame): string {
  const head = [
    `${frame.direction === 'in' ? 'received' : 'sent'}: ${frame.kind}, ${frame.size} bytes`,
    `join_ref ${frame.joinRef ?? 'null'}, ref ${frame.ref ?? 'null'}`,
  ]
  if (frame.topic) head.push(`topic ${frame.topic}`)
  if (frame.event) head.push(`event ${frame.event}`)
  if (frame.problem) head.push(`malformed: ${frame.problem}`)
  if (frame.metadata !== undefined) head.push(`metadata ${pretty(frame.metadata, 0)}`)
  return `${head.join('\n')}\n${pretty(frame.payload)}`
}

/** Tells whether every word of the filter occurs in the frame's direction, kind, topic or event. */
export function matches(frame: Frame, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const direction = frame.direction === 'in' ? 'in received' : 'out sent'
  const inner = (frame.payload as { event?: unknown } | null)?.event
  const text = `${direction} ${frame.kind} ${frame.topic} ${frame.event} ${typeof inner === 'string' ? inner : ''}`.toLowerCase()
  return words.every((word) => text.includes(word))
}

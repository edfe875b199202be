// What a developer types into a payload field, made into a value or a complaint.

export type Format = 'json' | 'text' | 'hex'

export type Parsed =
  | { ok: true; value: unknown; size: number } // value is an ArrayBuffer for text and hex
  | { ok: false; problem: string }

/** Reads the typed text. JSON is sent as JSON, text and hex as raw bytes. */
export function parse(typed: string, format: Format): Parsed {
  if (format === 'json') return parseJSON(typed)
  if (format === 'hex') return parseHex(typed)
  return binary(new TextEncoder().encode(typed))
}

/** Reads a presence state, which the server accepts only as an object. */
export function parseObject(typed: string): Parsed {
  const parsed = parseJSON(typed)
  if (!parsed.ok) return parsed
  const value = parsed.value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, problem: 'A presence state must be an object, such as {"name":"Ann"}.' }
  }
  return parsed
}

function parseJSON(typed: string): Parsed {
  if (typed.trim() === '') return { ok: false, problem: 'Type a JSON value, for example {}.' }
  try {
    const value: unknown = JSON.parse(typed)
    return { ok: true, value, size: new TextEncoder().encode(JSON.stringify(value)).length }
  } catch (err) {
    return { ok: false, problem: `Not JSON: ${err instanceof Error ? err.message : String(err)}` }
  }
}

function parseHex(typed: string): Parsed {
  const digits = typed.replace(/0x/gi, '').replace(/[\s,:]/g, '')
  const odd = /[^0-9a-f]/i.exec(digits)
  if (odd) return { ok: false, problem: `“${odd[0]}” is not a hexadecimal digit.` }
  if (digits.length % 2 === 1) return { ok: false, problem: 'One digit is missing: every byte has two.' }
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return binary(bytes)
}

function binary(bytes: Uint8Array): Parsed {
  const value = new ArrayBuffer(bytes.length)
  new Uint8Array(value).set(bytes)
  return { ok: true, value, size: bytes.length }
}

// The parts of a piece, such as "Violin 1", each with a colour. The room keeps a
// part as one text (docs/music.md), so the colour stands in it as a coloured square,
// which clients that know nothing of this show as what it is. Pure.

/** colour counts the squares below. */
export type Part = { name: string; colour: number }

const squares = ['🟦', '🟧', '🟩', '🟪', '🟥', '🟨', '🟫'] as const

/** What the colours are called, for those who do not see them. */
export const colourNames = ['blue', 'orange', 'green', 'purple', 'red', 'yellow', 'brown'] as const

// The server keeps so many characters, and two of them are the square.
export const longestName = 60

/** Reads a part; null for none. One without a square has the colour that its name always has. */
export function readPart(text: string): Part | null {
  const [first = '', ...rest] = [...text.trim()]
  const square = squares.findIndex((known) => known === first)
  const name = (square >= 0 ? rest.join('') : text).trim()
  if (name === '') return null
  return { name, colour: square >= 0 ? square : colourOf(name) }
}

/** Writes a part as the room keeps it; "" for none. */
export function writePart({ name, colour }: Part): string {
  const tidy = [...name.trim()].slice(0, longestName).join('').trim()
  return tidy === '' ? '' : `${squares[colour] ?? squares[0]} ${tidy}`
}

/** The parts that somebody has, each once, by name. */
export function partsOf(people: readonly { part: Part | null }[]): Part[] {
  const known = new Map<string, Part>()
  for (const { part } of people) if (part && !known.has(part.name)) known.set(part.name, part)
  return [...known.values()].sort((a, b) => a.name.localeCompare(b.name))
}

function colourOf(name: string): number {
  let sum = 0
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)!) % 65_521
  return sum % squares.length
}

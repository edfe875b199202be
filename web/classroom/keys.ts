// The computer's keyboard as a piano, and what notes are called. Pure.

// Places on the keyboard, not letters: a French or Czech keyboard has its piano
// in the same place. Semitones above the C of the octave.
const places = [
  'KeyA', 'KeyW', 'KeyS', 'KeyE', 'KeyD', 'KeyF', 'KeyT', 'KeyG', 'KeyY', 'KeyH', 'KeyU', 'KeyJ', 'KeyK',
  'KeyO', 'KeyL', 'KeyP', 'Semicolon',
]

export const lowestOctave = 1
export const highestOctave = 7

/** What a key of the computer does: a note so many semitones above the octave's C, or an octave down or up. */
export type KeyDeed = { note: number } | { octave: -1 | 1 } | null

export function keyDeed(code: string): KeyDeed {
  const note = places.indexOf(code)
  if (note >= 0) return { note }
  if (code === 'KeyZ') return { octave: -1 }
  return code === 'KeyX' ? { octave: 1 } : null
}

/** What stands on the key that plays a semitone, on a US keyboard; "" for none. */
export function keyCap(semitone: number): string {
  const place = places[semitone]
  if (!place) return ''
  return place === 'Semicolon' ? ';' : place.slice(3)
}

/** The MIDI number of an octave's C: octave 4 has middle C, 60. */
export function octaveStart(octave: number): number {
  return 12 * (octave + 1)
}

const names = ['C', 'C♯', 'D', 'D♯', 'E', 'F', 'F♯', 'G', 'G♯', 'A', 'A♯', 'B']

/** C4, F♯3 and so on. */
export function noteName(midi: number): string {
  return `${names[midi % 12]}${Math.floor(midi / 12) - 1}`
}

export function isBlack(midi: number): boolean {
  return names[midi % 12]!.length > 1
}

/** In Hz. */
export function frequency(midi: number): number {
  return 440 * 2 ** ((midi - 69) / 12)
}

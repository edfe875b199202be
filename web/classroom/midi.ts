// MIDI keyboards, where the browser and the user let us.

/** A key that goes down, or up when its velocity is 0. */
export type Strike = { midi: number; velocity: number }

/** What a MIDI message says of a key; null for all that is not about keys. */
export function readMessage(data: ArrayLike<number>): Strike | null {
  const [status = 0, midi, velocity] = Array.from(data)
  if (midi === undefined || velocity === undefined || midi > 127 || velocity > 127) return null
  const kind = status & 0xf0
  if (kind === 0x90) return { midi, velocity }
  return kind === 0x80 ? { midi, velocity: 0 } : null
}

/**
 * Listens to all MIDI inputs, also those that are plugged in later; must be
 * called from a user's gesture. at is ms of performance.now. Returns how many there
 * are now, or in words why there are none.
 */
export async function listenToMIDI(
  strike: (strike: Strike, at: number) => void,
  changed: (inputs: number) => void,
): Promise<number | string> {
  if (!('requestMIDIAccess' in navigator)) {
    return window.isSecureContext
      ? 'This browser does not know MIDI. Chrome, Edge and Firefox do.'
      : 'Browsers give MIDI only to pages that come over HTTPS.'
  }
  let access: MIDIAccess
  try {
    access = await navigator.requestMIDIAccess()
  } catch {
    return 'The browser did not allow MIDI. Its settings for this page can be changed.'
  }
  const attend = (): void => {
    for (const input of access.inputs.values()) {
      input.onmidimessage = ({ data, timeStamp }) => {
        const read = data && readMessage(data)
        if (read) strike(read, timeStamp)
      }
    }
  }
  attend()
  access.onstatechange = () => {
    attend()
    changed(access.inputs.size)
  }
  return access.inputs.size
}

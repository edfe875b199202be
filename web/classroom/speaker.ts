// What the page has of sound before there is any: it loads the sounds when they are
// wanted, which keeps the page small until then, and is silent meanwhile.

import type { AudioClock, Voice } from '../music'
import type { LoopNote } from './loops'
import type { Sound } from './sound'

const silent: Voice = { cancel: () => undefined }

export class Speaker {
  click = true // whether clicks are heard
  others = true // whether the others' notes are
  #volume = 0.8
  #kit: typeof import('./sound') | null = null
  #loading: Promise<void> | null = null
  #sound: Sound | null = null

  /** Whether make can be called. */
  get loaded(): boolean {
    return this.#kit !== null
  }

  /**
   * Gets the sounds from the server; harmless when they are here. To be called before
   * a gesture asks for them: some browsers allow no sound to one that had to wait.
   */
  load(): Promise<void> {
    this.#loading ??= import('./sound').then(
      (kit) => void (this.#kit = kit),
      (err: unknown) => {
        this.#loading = null // another time it may be there
        throw err
      },
    )
    return this.#loading
  }

  /** Makes the audio context; to be called from a gesture, when it is loaded. */
  readonly make = (): AudioClock => {
    this.#sound ??= new this.#kit!.Sound(this.#volume)
    return this.#sound.audio
  }

  /** From 0 to 1. */
  set volume(volume: number) {
    this.#volume = volume
    if (this.#sound) this.#sound.volume = volume
  }

  /** Sounds a click at a context time in s. */
  tick(accent: 0 | 1 | 2, when: number): Voice {
    return (this.click && this.#sound?.tick(accent, when)) || silent
  }

  /** Sounds a note of a loop at a context time in s. */
  ring(note: LoopNote, when: number): Voice {
    return this.#sound?.ring(note, when) ?? silent
  }

  /** Begins a note now, or so many ms from now; loudness is MIDI's, 1 to 127. */
  press(who: string, midi: number, velocity: number, inMs = 0): void {
    this.#sound?.press(who, midi, velocity, inMs)
  }

  /** Ends a note. */
  lift(who: string, midi: number): void {
    this.#sound?.lift(who, midi)
  }

  /** Ends all notes of somebody, or of everybody. */
  hush(who?: string): void {
    this.#sound?.hush(who)
  }
}

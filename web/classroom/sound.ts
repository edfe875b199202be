// The sounds of a lesson: clicks and notes, made by Tone.js, which is most of the
// page's bytes: speaker.ts loads this when it is wanted. Times are context times in s.

import type { AudioClock, Voice } from '../music'
import { frequency } from './keys'
import type { LoopNote } from './loops'
import { Context, Gain, setContext, Synth, ToneOscillatorNode } from './tone'

// The pitches of a beat, of the first of a group and of the first of a bar.
const pitches = [1000, 1250, 1600] as const
const clickLasts = 0.02 // s before it fades, and fading
const release = 0.25
// More than a class plays at once; then the oldest gives way.
const most = 48
// Notes are softer than the click, so that it is heard through them.
const notesBelow = 0.6

export class Sound {
  readonly audio: AudioClock
  readonly #out: { clicks: Gain; notes: Gain }
  readonly #ringing = new Map<string, Synth>() // by who and which key
  readonly #looping = new Set<Synth>() // handed over for loops
  #free: Synth[] = []

  /** Makes the audio context; to be called from a gesture. The volume is from 0 to 1. */
  constructor(volume: number) {
    const context = new Context({ latencyHint: 'interactive', clockSource: 'timeout', lookAhead: 0, updateInterval: 0.1 })
    setContext(context)
    this.#out = { clicks: new Gain(volume).toDestination(), notes: new Gain(volume * notesBelow).toDestination() }
    this.audio = clockOf(context)
  }

  get running(): boolean {
    return this.audio.state === 'running'
  }

  /** From 0 to 1. */
  set volume(volume: number) {
    this.#out.clicks.gain.rampTo(volume, 0.02)
    this.#out.notes.gain.rampTo(volume * notesBelow, 0.02)
  }

  /**
   * Sounds a click at a context time. One oscillator: a whole synthesizer takes
   * Tone some ms to make, several times a second.
   */
  tick(accent: 0 | 1 | 2, when: number): Voice {
    const source = new ToneOscillatorNode({
      type: 'triangle', frequency: pitches[accent], fadeIn: 0.001, fadeOut: clickLasts, onended: () => undefined,
    })
    source.connect(this.#out.clicks).start(when).stop(when + clickLasts)
    return { cancel: () => source.disconnect() }
  }

  /** Begins a note now, or so many ms from now; loudness is MIDI's, 1 to 127. */
  press(who: string, midi: number, velocity: number, inMs = 0): void {
    if (!this.running) return
    this.lift(who, midi)
    if (this.#ringing.size >= most) this.#lift(this.#ringing.keys().next().value!)
    const synth = this.#free.pop() ?? this.#voice(this.#out.notes)
    synth.triggerAttack(frequency(midi), this.audio.currentTime + Math.max(0, inMs) / 1000, loudness(velocity))
    this.#ringing.set(`${who} ${midi}`, synth)
  }

  /** Sounds a note of a loop at a context time. */
  ring({ midi, velocity, lasts }: LoopNote, when: number): Voice {
    if (this.#looping.size >= most) return { cancel: () => undefined }
    const synth = this.#free.pop() ?? this.#voice(this.#out.notes)
    this.#looping.add(synth)
    const seconds = Math.max(0.03, lasts / 1000)
    synth.triggerAttackRelease(frequency(midi), seconds, when, loudness(velocity))
    const over = setTimeout(() => this.#looping.delete(synth) && this.#free.push(synth), (when - this.audio.currentTime + seconds + release + 0.1) * 1000)
    // What was handed over cannot be taken back, but its voice can.
    const cancel = (): void => {
      clearTimeout(over)
      if (this.#looping.delete(synth)) synth.dispose()
    }
    return { cancel }
  }

  /** Ends a note. */
  lift(who: string, midi: number): void {
    this.#lift(`${who} ${midi}`)
  }

  /** Ends all notes of somebody, or of everybody. */
  hush(who?: string): void {
    for (const key of [...this.#ringing.keys()]) if (who === undefined || key.startsWith(`${who} `)) this.#lift(key)
  }

  #lift(key: string): void {
    const synth = this.#ringing.get(key)
    if (!synth) return
    this.#ringing.delete(key)
    synth.triggerRelease(this.audio.currentTime)
    setTimeout(() => this.#free.push(synth), (release + 0.1) * 1000)
  }

  #voice(out: Gain): Synth {
    const synth = new Synth({ oscillator: { type: 'triangle' }, envelope: { attack: 0.004, decay: 0.6, sustain: 0.25, release } })
    return synth.connect(out)
  }
}

/** Of MIDI's 1 to 127. */
function loudness(velocity: number): number {
  return 0.2 + (0.8 * velocity) / 127
}

/** What the scheduler reads. The browser's own context behind Tone's alone tells when a sound leaves the loudspeaker. */
function clockOf(context: Context): AudioClock {
  const tones = context.rawContext as AudioContext
  const own = (tones as unknown as { _nativeAudioContext?: AudioContext })._nativeAudioContext ?? tones
  return {
    get currentTime() {
      return own.currentTime
    },
    get state() {
      return tones.state
    },
    get baseLatency() {
      return own.baseLatency
    },
    get outputLatency() {
      return own.outputLatency
    },
    getOutputTimestamp: () => own.getOutputTimestamp?.() ?? {},
    resume: () => tones.resume(),
  }
}

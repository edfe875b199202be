// The sounds of a lesson: clicks and notes, made by Tone.js when a user has
// allowed it. Times are context times in s.

import type { AudioClock, Voice } from '../music'
import { frequency } from './keys'
import { Context, Gain, setContext, Synth, ToneOscillatorNode } from './tone'

// The pitches of a beat, of the first of a group and of the first of a bar.
const pitches = [1000, 1250, 1600] as const
const clickLasts = 0.02 // s before it fades, and fading
const release = 0.25
// More than a class plays at once; then the oldest gives way.
const most = 48

export class Sound {
  click = true // whether clicks are heard
  others = true // whether the others' notes are
  #out: { clicks: Gain; notes: Gain } | null = null
  #audio: AudioClock | null = null
  readonly #ringing = new Map<string, Synth>() // by who and which key
  #free: Synth[] = []
  #volume = 0.8

  /** Makes the audio context; to be called from a gesture. */
  readonly make = (): AudioClock => {
    const context = new Context({ latencyHint: 'interactive', clockSource: 'timeout', lookAhead: 0, updateInterval: 0.1 })
    setContext(context)
    this.#out = { clicks: new Gain(this.#volume).toDestination(), notes: new Gain(this.#volume * 0.6).toDestination() }
    this.#audio = clockOf(context)
    return this.#audio
  }

  get running(): boolean {
    return this.#audio?.state === 'running'
  }

  /** From 0 to 1. */
  set volume(volume: number) {
    this.#volume = volume
    this.#out?.clicks.gain.rampTo(volume, 0.02)
    this.#out?.notes.gain.rampTo(volume * 0.6, 0.02)
  }

  /**
   * Sounds a click at a context time. One oscillator: a whole synthesizer takes
   * Tone some ms to make, several times a second.
   */
  readonly tick = ({ accent }: { accent: 0 | 1 | 2 }, when: number): Voice => {
    if (!this.click || !this.#out) return { cancel: () => undefined }
    const source = new ToneOscillatorNode({
      type: 'triangle', frequency: pitches[accent], fadeIn: 0.001, fadeOut: clickLasts, onended: () => undefined,
    })
    source.connect(this.#out.clicks).start(when).stop(when + clickLasts)
    return { cancel: () => source.disconnect() }
  }

  /** Begins a note now, or so many ms from now; loudness is MIDI's, 1 to 127. */
  press(who: string, midi: number, velocity: number, inMs = 0): void {
    if (!this.#out || !this.running) return
    this.lift(who, midi)
    if (this.#ringing.size >= most) this.#lift(this.#ringing.keys().next().value!)
    const synth = this.#free.pop() ?? this.#voice(this.#out.notes)
    synth.triggerAttack(frequency(midi), this.#audio!.currentTime + Math.max(0, inMs) / 1000, 0.2 + (0.8 * velocity) / 127)
    this.#ringing.set(`${who} ${midi}`, synth)
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
    synth.triggerRelease(this.#audio!.currentTime)
    setTimeout(() => this.#free.push(synth), (release + 0.1) * 1000)
  }

  #voice(out: Gain): Synth {
    const synth = new Synth({ oscillator: { type: 'triangle' }, envelope: { attack: 0.004, decay: 0.6, sustain: 0.25, release } })
    return synth.connect(out)
  }
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

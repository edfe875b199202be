// What is used of Tone.js. Its main module makes an audio context of its own as
// soon as it is loaded, before any gesture, and a worker that the pages' content
// policy forbids; its parts do neither.

// Gives contexts their destination.
import 'tone/build/esm/core/context/Destination.js'

export { Context } from 'tone/build/esm/core/context/Context.js'
export { Gain } from 'tone/build/esm/core/context/Gain.js'
export { setContext } from 'tone/build/esm/core/context/GlobalContext.js'
export { ToneOscillatorNode } from 'tone/build/esm/source/oscillator/ToneOscillatorNode.js'
export { Synth } from 'tone/build/esm/instrument/Synth.js'

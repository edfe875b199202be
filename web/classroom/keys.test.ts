import { describe, expect, test } from 'vitest'
import { frequency, isBlack, keyCap, keyDeed, noteName, octaveStart } from './keys'
import { readMessage } from './midi'

describe('the computer’s keys', () => {
  test('are a piano by their places', () => {
    expect(['KeyA', 'KeyW', 'KeyK', 'Semicolon'].map(keyDeed)).toEqual([{ note: 0 }, { note: 1 }, { note: 12 }, { note: 16 }])
    expect([keyDeed('KeyZ'), keyDeed('KeyX'), keyDeed('Enter')]).toEqual([{ octave: -1 }, { octave: 1 }, null])
  })

  test('have their letters, as far as there are any', () => {
    expect([0, 1, 16, 17].map(keyCap)).toEqual(['A', 'W', ';', ''])
  })

  test('are black where a piano’s are', () => {
    for (let i = 0; i < 12; i++) expect(isBlack(60 + i)).toBe('WETYU'.includes(keyCap(i)))
  })

  test('play notes that have a name and a pitch', () => {
    expect([noteName(60), noteName(61), noteName(0), noteName(127)]).toEqual(['C4', 'C♯4', 'C-1', 'G9'])
    expect(octaveStart(4)).toBe(60)
    expect(frequency(57)).toBeCloseTo(220, 9)
  })
})

test('a MIDI message is a key that goes down or up, or nothing to us', () => {
  expect(readMessage([0x93, 60, 100])).toEqual({ midi: 60, velocity: 100 })
  expect(readMessage([0x90, 60, 0])).toEqual({ midi: 60, velocity: 0 })
  expect(readMessage([0x80, 60, 64])).toEqual({ midi: 60, velocity: 0 })
  for (const other of [[0xf8], [0xb0, 64, 127], [0x90, 60], [0x90, 200, 1], []]) expect(readMessage(other)).toBeNull()
})

import { expect, test } from 'vitest'
import { partsOf, readPart, writePart } from './parts'

test('a part is read as it was written', () => {
  const part = { name: 'Violin 1', colour: 3 }
  expect(writePart(part)).toBe('🟪 Violin 1')
  expect(readPart(writePart(part))).toEqual(part)
})

test('a part that another client gave has the same colour everywhere', () => {
  const part = readPart('Bass')
  expect(part?.name).toBe('Bass')
  expect(readPart(' Bass ')).toEqual(part)
  expect(part?.colour).toBeGreaterThanOrEqual(0)
  expect(part?.colour).toBeLessThan(7)
})

test('a part without a name is none', () => {
  for (const text of ['', '  ', '🟪', '🟪  ']) expect(readPart(text)).toBeNull()
  expect(writePart({ name: '  ', colour: 2 })).toBe('')
})

test('a name is cut to what the server keeps, and not within a character', () => {
  const written = writePart({ name: '♪🎻'.repeat(100), colour: 0 })
  expect([...written].length).toBeLessThanOrEqual(64)
  expect(written.endsWith('🎻')).toBe(true)
})

test('an unknown colour is the first', () => {
  expect(writePart({ name: 'Tuba', colour: 99 })).toBe('🟦 Tuba')
})

test('parts are listed once each', () => {
  const people = [{ part: { name: 'Tuba', colour: 1 } }, { part: null }, { part: { name: 'Bass', colour: 2 } }, { part: { name: 'Tuba', colour: 4 } }]
  expect(partsOf(people)).toEqual([{ name: 'Bass', colour: 2 }, { name: 'Tuba', colour: 1 }])
})

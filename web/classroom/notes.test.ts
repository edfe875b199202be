import { describe, expect, test } from 'vitest'
import { Notes } from './notes'
import { Onsets, type Batch } from './onsets'

describe('notes that sounded', () => {
  test('last from key down to key up', () => {
    const notes = new Notes()
    notes.take('ann', 60, 90, 4)
    notes.take('ben', 60, 90, 4.5)
    expect(notes.held('ann')).toEqual([60])
    notes.take('ann', 60, 0, 5)
    expect(notes.held('ann')).toEqual([])
    expect(notes.between(5.5, 8).map(({ who }) => who)).toEqual(['ben'])
    expect(notes.between(0, 4.2).map(({ who, end }) => [who, end])).toEqual([['ann', 5]])
  })

  test('are ended by the same key and by silence, never before they began', () => {
    const notes = new Notes()
    notes.take('ann', 60, 90, 4)
    notes.take('ann', 60, 70, 5)
    notes.take('ann', 64, 70, 5)
    notes.silence(3)
    expect(notes.between(0, 9).map(({ begin, end }) => [begin, end])).toEqual([[4, 5], [5, 5], [5, 5]])
  })

  test('fill a picture that is neither empty nor too high', () => {
    expect(Notes.range([])).toEqual([59, 77])
    const notes = new Notes()
    notes.take('ann', 30, 9, 0)
    notes.take('ann', 90, 9, 0)
    expect(Notes.range(notes.between(0, 1))).toEqual([29, 91])
  })
})

describe('onsets of a take', () => {
  test('go out in batches with numbers, and again when there was no connection', () => {
    const onsets = new Onsets('t1')
    const sent: Batch[] = []
    let connected = false
    const send = (batch: Batch): boolean => (connected && sent.push(batch), connected)
    onsets.add(1000.12345, 60, 90)
    onsets.flush(send)
    onsets.add(2000, 62, 80)
    connected = true
    onsets.flush(send)
    onsets.flush(send)
    expect(sent).toEqual([
      { take: 't1', seq: 0, ev: [[1000.123, 60, 90]] },
      { take: 't1', seq: 1, ev: [[2000, 62, 80]] },
    ])
  })

  test('are an empty batch when nothing was played', () => {
    const onsets = new Onsets('t1')
    const sent: Batch[] = []
    onsets.finish()
    onsets.finish()
    onsets.flush((batch) => sent.push(batch) > 0)
    expect(sent).toEqual([{ take: 't1', seq: 0, ev: [] }])
    const played = new Onsets('t2')
    played.add(1, 60, 90)
    played.finish()
    played.flush(({ ev }) => (expect(ev).toHaveLength(1), true))
  })

  test('are not more in a batch than the server takes', () => {
    const onsets = new Onsets('t1')
    for (let i = 0; i < 1001; i++) onsets.add(i, 60, 90)
    const sizes: number[] = []
    onsets.flush(({ ev }) => sizes.push(ev.length) > 0)
    expect(sizes).toEqual([400, 400, 201])
  })
})

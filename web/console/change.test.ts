import { describe, expect, test } from 'vitest'
import { latencyInWords, readChange, standing, type Change, type ChangePayload, type Standing } from './change'

const at = Date.parse('2026-01-02T03:04:05.678Z')
const update: ChangePayload = {
  schema: 'public', table: 'todos', commit_timestamp: '2026-01-02T03:04:05.670Z', eventType: 'UPDATE',
  new: { id: 1, title: 'b', tags: ['x'] }, old: { id: 1, title: 'a', tags: ['x'] }, errors: null,
}
const insert: ChangePayload = { ...update, eventType: 'INSERT', new: { id: 1, title: 'a', tags: ['x'] }, old: {} }
const read = (payload: Partial<ChangePayload>, earlier: Change[] = []) => readChange({ ...update, ...payload }, at, earlier)
const changed = (change: Change) => change.cells.filter((cell) => cell.changed).map(({ name, before, now, from }) => ({ name, before, now, from }))

describe('readChange', () => {
  test('takes the time from commit to arrival', () => expect(read({}).latency).toBe(8))
  test('knows no latency without a commit time', () => {
    expect(read({ commit_timestamp: null, new: {}, old: {}, errors: ['Error 401: Unauthorized'] })).toMatchObject({ latency: null, errors: ['Error 401: Unauthorized'], cells: [] })
  })
  test('a full old row shows what changed, and that equal lists did not', () => {
    expect(changed(read({}))).toEqual([{ name: 'title', before: 'a', now: 'b', from: 'server' }])
  })
  test('an insert has changed nothing', () => expect(changed(readChange(insert, at, []))).toEqual([]))
  test('a delete shows what is gone', () => {
    expect(read({ eventType: 'DELETE', new: {}, old: { id: 1 } }).cells).toEqual([{ name: 'id', before: 1, from: 'server', changed: true }])
  })

  describe('when only the key of the old row is sent', () => {
    const seen = readChange(insert, at, [])
    test('what this page saw before fills in', () => {
      expect(changed(read({ old: { id: 1 } }, [seen]))).toEqual([{ name: 'title', before: 'a', now: 'b', from: 'page' }])
    })
    test('the latest sight counts', () => {
      const later = read({ old: { id: 1 } }, [seen])
      expect(changed(read({ new: { id: 1, title: 'c', tags: ['x'] }, old: { id: 1 } }, [seen, later]))).toMatchObject([{ before: 'b', now: 'c' }])
    })
    test('nothing is made up for a row not seen, of another table, or deleted since', () => {
      const gone = readChange({ ...update, eventType: 'DELETE', new: {}, old: { id: 1 } }, at, [seen])
      for (const earlier of [[], [{ ...seen, table: 'public.notes' }], [seen, gone], [readChange({ ...insert, new: { id: 2, title: 'z' } }, at, [])]]) {
        expect(read({ old: { id: 1 } }, earlier).cells.filter((cell) => 'before' in cell).map((cell) => cell.name)).toEqual(['id'])
      }
    })
    test('a key that changed is followed', () => {
      expect(changed(read({ new: { id: 7, title: 'a', tags: ['x'] }, old: { id: 1 } }, [seen]))).toEqual([{ name: 'id', before: 1, now: 7, from: 'server' }])
    })
  })
})

describe('latencyInWords', () => {
  const cases: [number, string][] = [[4.2, '4 ms'], [12_345, '12.3 s'], [-3, '−3 ms, so the clocks differ']]
  for (const [ms, text] of cases) test(text, () => expect(latencyInWords(ms)).toBe(text))
})

describe('standing', () => {
  const after = (before: Standing, ok: boolean, text: string, extension = 'postgres_changes') => standing(before, { at, ok, extension, text })
  test('a subscription stands', () => expect(after('waiting', true, 'Subscribed to PostgreSQL')).toBe('subscribed'))
  test('a filter that cannot be read is refused', () => expect(after('waiting', false, 'Error parsing `filter` params: ["wrong"]')).toBe('refused'))
  test('a database that is away is waited for', () => expect(after('subscribed', false, 'Unable to subscribe to changes: DatabaseUnavailable. It is tried again')).toBe('waiting'))
  test('lost changes come before another subscription', () => expect(after('subscribed', false, 'Changes were lost: ReplicationSlotLost. Read anew')).toBe('waiting'))
  for (const text of ['Too many database changes per second: 3 were not delivered.', 'Changes of public.t are not delivered: RlsPolicyError. A policy']) {
    test(`it outlives: ${text}`, () => expect(after('subscribed', false, text)).toBe('subscribed'))
  }
  test('what others say does not matter', () => expect(after('waiting', false, 'Too many messages per second', 'system')).toBe('waiting'))
})

import { describe, expect, test } from 'vitest'
import { fragmentOf, pathOf, placeOf, type Place } from './route'

test.each<Place>([
  { at: 'overview' },
  { at: 'tenant', tenant: 'acme' },
  { at: 'topic', tenant: 'acme', topic: 'room', private: false, bare: false },
  { at: 'topic', tenant: 'a b', topic: 'a/b?c#d%2F ü', private: true, bare: false },
  { at: 'topic', tenant: 'a', topic: 'music:1', private: false, bare: true },
  { at: 'topic', tenant: 'a', topic: 'x', private: true, bare: true },
])('%j is found again', (place) => expect(placeOf(fragmentOf(place))).toEqual(place))

describe('what is no place is the overview', () => {
  test.each(['', '#', '#/', '#/tenants', '#/tenants/', '#/tenants/%', '#/tenants/a/topics', '#/tenants/a/topics/', '#/tenants/a/other/b', '#/else/a', '#/tenants/a/topics/b/c'])('%s', (fragment) =>
    expect(placeOf(fragment)).toEqual({ at: 'overview' }),
  )
})

test('a path has its parts escaped', () => expect(pathOf('acme', 'topics', 'a/b', 'live')).toBe('tenants/acme/topics/a%2Fb/live'))

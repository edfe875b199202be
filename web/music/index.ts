// Musical time for pages: a server's clock, a room's timeline, clicks in time.

export * from './audio'
export * from './bars'
export * from './clock'
export * from './intervals'
export * from './schedule'
export * from './segment'
export * from './timeline'

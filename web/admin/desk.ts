// What every view of the page needs.

import type { Overview } from './answers'
import type { Confirm } from './dialogs'
import type { Server } from './server'

export type Desk = {
  server: Server
  confirm: Confirm
  features: () => Overview['features']
  /** Says that something was done. */
  done: (text: string) => void
}

// What went wrong, as the pages show it: what, why, and what to do. Pure.

import { Fault } from './server'

export type Explanation = { title: string; cause: string; cure: string }

export function explained(title: string, err: unknown): Explanation {
  if (!(err instanceof Fault)) return { title, cause: `This page failed: ${String(err)}`, cure: 'Load it again. If it fails again, tell us: that is a fault of the page.' }
  return { title: err.code ? `${title} (${err.code})` : title, cause: err.message, cure: err.cure || usual(err.status) }
}

// For answers that name no cure.
function usual(status: number): string {
  switch (status) {
    case 0:
      return 'The page tries again by itself.'
    case 404:
      return 'It may have been deleted. Go back to the overview.'
    case 409:
      return 'Choose another name, or look what somebody else has done meanwhile.'
    case 429:
      return 'Wait a little, then try again.'
    case 502:
    case 503:
    case 504:
      return 'The page tries again by itself. If it lasts, look at the server’s log.'
  }
  return 'Look at the server’s log at this moment.'
}

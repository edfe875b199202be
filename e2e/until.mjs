// Waiting for what happens, with an end to the patience. Nothing here sleeps.

/** Waits for a promise; what names it in the error of one that takes too long. */
export async function before(milliseconds, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms for ${what}`)), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What happened so far, and a way to wait for what has not. */
export class Heard {
  all = []
  #taken = 0
  #waiting = new Set()

  constructor(what) {
    this.what = what
  }

  add = (one) => {
    this.all.push(one)
    for (const look of this.#waiting) look()
  }

  /** Returns what comes next: each call another, none left out. */
  async next(milliseconds = 10_000) {
    const place = this.#taken++
    await this.until((all) => all.length > place, milliseconds)
    return this.all[place]
  }

  /** Returns the first that fits, even if it is long past. */
  async find(fits, milliseconds = 10_000) {
    await this.until((all) => all.some(fits), milliseconds)
    return this.all.find(fits)
  }

  /** Waits until all that happened satisfies a condition. */
  async until(satisfied, milliseconds = 10_000) {
    let look
    const seen = new Promise((resolve) => {
      look = () => satisfied(this.all) && resolve()
    })
    this.#waiting.add(look)
    look()
    try {
      await before(milliseconds, this.what, seen)
    } catch (err) {
      err.message += `; so far: ${JSON.stringify(this.all, shortened)}`
      throw err
    } finally {
      this.#waiting.delete(look)
    }
  }
}

function shortened(_, value) {
  if (value instanceof Error) return String(value)
  return value
}

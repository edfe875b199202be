// Server-sent events, as they come out of a fetch. Pure.

export type Event = { name: string; data: string }

/** Takes text in pieces of any size and gives the events that became whole. */
export class Parser {
  #rest = ''
  #name = ''
  #data: string[] = []

  push(text: string): Event[] {
    const lines = (this.#rest + text).split(/\r\n|\n/)
    this.#rest = lines.pop() ?? ''
    const events: Event[] = []
    for (const line of lines) {
      const event = this.#line(line)
      if (event) events.push(event)
    }
    return events
  }

  #line(line: string): Event | null {
    if (line === '') return this.#end()
    const colon = line.indexOf(':')
    if (colon === 0) return null // a comment: the server says that it lives
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#name = value
    if (field === 'data') this.#data.push(value)
    return null
  }

  #end(): Event | null {
    const event = this.#data.length > 0 ? { name: this.#name || 'message', data: this.#data.join('\n') } : null
    this.#name = ''
    this.#data = []
    return event
  }
}

// The picture of what everybody plays: two bars at a time, so that it stands
// still while it is read. A line goes over it with the beat.

import { find, make } from '../shared/dom'
import { barLength, type Timeline } from '../music'
import { Notes } from './notes'
import type { Part } from './parts'

const bars = 2
const drawEvery = 80 // ms, while a note is held
// The first are those of parts, in their order; styles.css has them too.
const colours = ['#2a6a9d', '#a35a12', '#1f7a4d', '#8a3f8f', '#b03a2e', '#5a6b00', '#7a4a2e', '#00717a', '#6a5acd']
const coloursInTheDark = ['#7db8e6', '#e5a765', '#6fce9d', '#d794dc', '#f0938a', '#c3d160', '#d0a283', '#6fd3da', '#aea6f5']

type Theme = { line: string; beat: string; colours: string[] }

const still = window.matchMedia('(prefers-reduced-motion: reduce)')
const dark = window.matchMedia('(prefers-color-scheme: dark)')

export class Roll {
  readonly notes = new Notes()
  readonly #canvas = find<HTMLCanvasElement>('roll')
  readonly #players = new Map<string, { own: number; colour: number; item: HTMLElement }>()
  #page = { begin: 0, end: 0 } // beats
  readonly #head = find('head')
  #rev = -1 // of the timeline that the page is of
  #changed = true
  #drawn = 0 // when
  #theme = theme()

  constructor() {
    dark.addEventListener('change', () => {
      this.#theme = theme()
      this.touch()
    })
    window.addEventListener('resize', () => this.touch())
  }

  /** Gives somebody a place in the legend, and his part's colour or else one of his own. */
  introduce(who: string, name: string, part: Part | null): void {
    let player = this.#players.get(who)
    if (!player) {
      const own = this.#players.size % colours.length
      player = { own, colour: own, item: make('li', { 'data-testid': 'player' }) }
      this.#players.set(who, player)
      find('legend').append(player.item)
    }
    const colour = part?.colour ?? player.own
    if (colour !== player.colour) this.touch()
    player.colour = colour
    player.item.dataset.colour = String(colour)
    const words = part ? `${name}, ${part.name}` : name
    if (player.item.textContent !== words) player.item.textContent = words
  }

  clear(): void {
    this.notes.clear()
    this.#players.clear()
    find('legend').replaceChildren()
  }

  /** Shows the page of this position; to be called in each frame. */
  draw(timeline: Timeline, position: number): void {
    const { begin, end } = this.#page
    if (position < begin || position >= end || this.#rev !== timeline.state.rev) this.#turn(timeline, position)
    this.#moveHead(still.matches ? Math.floor(position) : position)
    // The canvas costs much more than the line, and changes less.
    const now = performance.now()
    if (!this.#changed && !(this.notes.sounding && now - this.#drawn > drawEvery)) return
    const size = this.#fit()
    const draw = this.#canvas.getContext('2d')
    if (draw === null || size === null) return
    this.#changed = false
    this.#drawn = now
    draw.setTransform(size.scale, 0, 0, size.scale, 0, 0)
    draw.clearRect(0, 0, size.width, size.height)
    const across = (beat: number): number => ((beat - this.#page.begin) / (this.#page.end - this.#page.begin)) * size.width
    this.#grid(draw, timeline, across, size.height)
    this.#bars(draw, position, across, size.height)
  }

  /** Tells that there is something new to draw. */
  touch(): void {
    this.#changed = true
  }

  #moveHead(position: number): void {
    const { begin, end } = this.#page
    this.#head.style.transform = `translateX(${(((position - begin) / (end - begin)) * 100).toFixed(2)}%)`
  }

  #turn(timeline: Timeline, position: number): void {
    const { beatInBar, meter } = timeline.place(position)
    const begin = Math.floor(position) - (beatInBar - 1)
    this.#page = { begin, end: begin + bars * barLength(meter) }
    this.#rev = timeline.state.rev
    this.#changed = true
  }

  #fit(): { width: number; height: number; scale: number } | null {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const scale = window.devicePixelRatio || 1
    if (width === 0) return null
    if (this.#canvas.width !== Math.round(width * scale)) this.#canvas.width = Math.round(width * scale)
    if (this.#canvas.height !== Math.round(height * scale)) this.#canvas.height = Math.round(height * scale)
    return { width, height, scale }
  }

  #grid(draw: CanvasRenderingContext2D, timeline: Timeline, across: (beat: number) => number, height: number): void {
    for (let beat = this.#page.begin; beat < this.#page.end; beat++) {
      const first = timeline.place(beat).beatInBar === 1
      draw.fillStyle = first ? this.#theme.line : this.#theme.beat
      draw.fillRect(across(beat), 0, first ? 2 : 1, height)
    }
  }

  #bars(draw: CanvasRenderingContext2D, position: number, across: (beat: number) => number, height: number): void {
    const list = this.notes.between(this.#page.begin, this.#page.end)
    const [low, high] = Notes.range(list)
    const row = height / (high - low + 1)
    for (const { who, midi, begin, end, velocity } of list) {
      const left = across(Math.max(begin, this.#page.begin))
      const right = across(Math.min(end ?? position, this.#page.end))
      draw.globalAlpha = 0.45 + (0.55 * velocity) / 127
      draw.fillStyle = this.#theme.colours[this.#players.get(who)?.colour ?? 0]!
      draw.beginPath()
      draw.roundRect(left, height - (midi - low + 1) * row + 1, Math.max(4, right - left), Math.max(3, row - 2), 2)
      draw.fill()
    }
    draw.globalAlpha = 1
  }
}

function theme(): Theme {
  return dark.matches
    ? { line: '#4d5a55', beat: '#2f3a36', colours: coloursInTheDark }
    : { line: '#b8c2bc', beat: '#e3e8e3', colours }
}

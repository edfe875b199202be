// The music classroom: a room in which everybody hears one clock.
//
// A link such as /classroom#key=KEY&room=7b&name=Ann&role=teacher comes in at
// once; &token=TOKEN adds a user's token, whose role counts, and &private=yes makes
// it the private room of that name. All of it is taken out of the address bar.
//
// Names for browser tests (data-testid), kept stable:
//   link (data-state: out, joining, joined, lost, refused)  who  leave  problem
//   door       door-form name room-name role-student role-teacher role-listener
//              server-fold url key token private enter
//   lesson     notice (refusals)
//   sound      sound (data-state: locked, starting, running, interrupted, closed)
//              sound-words sound-on hear-click hear-others volume calibration
//   metronome  metronome (data-mode: stopped, counting, playing) bar beat bpm-now
//              meter-now mode lamps own-clock (data-grade: unknown, good, fair, poor)
//   transport  transport start count-in stop at tempo-form bpm ramp tempo-set
//              slower faster tap meter-form meter meter-set seek-form seek-bar seek
//   playing    playing roll legend, with one player each; instrument piano key-MIDI
//              octave-down octave-up computer-keys velocity midi midi-words
//              piano-words
//   takes      takes (data-state: idle, running) take-state take-form take-grid
//              take-start take-stop take-table, with one take-row each; take-score
//              take-picture picture take-words take-empty
//   people     people-count people, with one person (data-id, data-name) each;
//              in it person-role person-heard person-quality person-plays
//              person-mute person-solo person-give
//   reflections  reflections reflection-form mood-1 to mood-5 reflection-text
//              reflect reflection-words reflection-guest reflection-list, with one
//              reflection (data-id, data-mood) each
//
// For tests window.tuttiClassroom says what the page computes:
//   clicks()  the clicks that it handed to the audio device, the latest 500:
//             {beat, at (server ms), wall (ms since 1970 by this machine, when it is
//             to be heard), when (context time, s)}
//   ready()   whether the clock is
//   uncertainty()  ms
//   tally()   what became of the clicks

import '../shared/base.css'
import './styles.css'
import { find, showProblem } from '../shared/dom'
import { browserTimers, Scheduler, type AudioState, type Beat, type Timeline } from '../music'
import { Door, type Wish } from './door'
import { Lesson, type Link } from './lesson'
import { Metronome, shownAt } from './metronome'
import type { Strike } from './midi'
import { People } from './people'
import { Piano } from './piano'
import { plays, type Note, type Refusal } from './protocol'
import { Reflections } from './reflections'
import { Roll } from './roll'
import { Sound } from './sound'
import { Takes } from './takes'
import { Transport } from './transport'

const noticeFor = 8_000
const clicksKept = 500
// A note that is older when it comes, in ms, is seen and not heard.
const tooOld = 2_000

const linkWords: Record<Link, string> = {
  out: 'Not in a room', joining: 'Coming in…', joined: 'In the room',
  lost: 'Connection lost, trying again', refused: 'Not let in, trying again',
}
const soundWords: Record<AudioState, string> = {
  locked: 'The sound is off: browsers allow none before you ask for it.',
  starting: 'The sound is starting…',
  running: 'The sound is on.',
  interrupted: 'Something else took the sound away, such as a call.',
  closed: 'The browser has closed the sound. Load the page anew.',
}

let lesson: Lesson | null = null
const current = (): Lesson | null => lesson
const sound = new Sound()
const roll = new Roll()
const metronome = new Metronome()
const transport = new Transport(current)
const people = new People(current)
const takes = new Takes(current)
const reflections = new Reflections(current)
const piano = new Piano(play)
const computed: { beat: number; at: number; wall: number; when: number }[] = []
let noticeTimer = 0

const scheduler = new Scheduler<Beat, ReturnType<Sound['make']>>({
  time: {
    get ready() {
      return lesson?.clock.ready ?? false
    },
    server: (local) => lesson?.clock.server(local) ?? NaN,
    local: (server) => lesson?.clock.local(server) ?? NaN,
  },
  clicks: { between: (from, to) => lesson?.timeline?.between(from, to) ?? [] },
  now: () => performance.now(),
  timers: browserTimers,
  makeAudio: sound.make,
  sound: (click, when) => {
    note(click, when)
    return sound.tick(click, when)
  },
  hidden: () => document.hidden,
  watch: showSound,
})

function note({ beat, at }: Beat, when: number): void {
  if (!lesson) return
  const before = computed.findIndex((known) => known.beat === beat)
  if (before >= 0) computed.splice(before, 1) // it was moved
  computed.push({ beat, at, wall: performance.timeOrigin + lesson.clock.local(at), when })
  if (computed.length > clicksKept) computed.shift()
}

function enter(wish: Wish): void {
  const mine = new Lesson(wish, {
    link: (link, why) => showLink(mine, link, why),
    state: () => {
      // It names no keys that are down, so none is.
      silence()
      scheduler.look()
      showState(mine)
    },
    closed: () => {
      if (lesson !== mine) return
      enter(wish)
      void mine.leave()
    },
    time: ({ at }) => {
      scheduler.changed(at)
      transport.show()
    },
    clock: () => metronome.showClock(mine),
    people: () => showPeople(mine),
    role: () => {
      piano.lift()
      showState(mine)
    },
    note: hear,
    refused: showRefusal,
    take: () => takes.show(),
    takeEnds: (inMs, spoilt) => takes.end(inMs, spoilt),
    score: (score) => takes.showScore(score),
    table: (scores) => takes.showTable(scores),
  })
  lesson = mine
  door.entered(wish)
  mine.latency = () => scheduler.latency
  void mine.enter()
}

/** Ends all notes that sound. */
function silence(): void {
  sound.hush()
  piano.unmark()
  for (const { id } of lesson?.people ?? []) people.playing(id, [])
  const timeline = lesson?.timeline
  if (timeline) roll.notes.silence(timeline.beat(lesson?.clock.now() ?? NaN))
  roll.touch()
}

async function leave(): Promise<void> {
  const left = lesson
  piano.lift()
  silence()
  lesson = null
  door.left()
  scheduler.reset()
  roll.clear()
  people.show([])
  find('lesson').hidden = true
  find('door').hidden = false
  find('name').focus()
  await left?.leave()
}

function showLink(of: Lesson, link: Link, why: string): void {
  if (lesson !== null && of !== lesson) return
  find('link').dataset.state = link
  find('link').textContent = linkWords[link]
  find('leave').hidden = link === 'out'
  if (link === 'lost') silence()
  showProblem(find('problem'), link === 'refused' ? {
    title: `The server does not let you in: ${why}`,
    cause: 'The key, the token or the room may be wrong.',
    cure: 'The page tries again by itself. Leave to change what you typed.',
  } : link === 'lost' ? {
    title: 'The connection is lost',
    cause: 'The metronome goes on by what is known, but nothing that you do reaches the others.',
    cure: 'The page tries again by itself.',
  } : null)
}

function showState(of: Lesson): void {
  const first = find('lesson').hidden
  find('door').hidden = true
  find('lesson').hidden = false
  find('transport').hidden = !of.leads
  find('instrument').hidden = !plays(of.me.role)
  find('who').hidden = false
  find('who').textContent = `${of.wish.name}, ${of.me.role} in ${of.wish.room}`
  document.title = `${of.wish.room} – Tutti classroom`
  transport.show()
  showPeople(of)
  takes.show()
  reflections.show(of)
  metronome.showClock(of)
  if (first && scheduler.state === 'locked') find('sound-on').focus()
}

function showPeople(of: Lesson): void {
  people.show(of.people)
  for (const { id, name, role } of of.people) {
    if (plays(role)) roll.introduce(id, name)
    people.playing(id, roll.notes.held(id))
  }
}

/** A key of this page's piano went down or up. */
function play({ midi, velocity }: Strike, local: number): void {
  if (!lesson?.timeline) return
  const at = lesson.server(local)
  const me = lesson.me.id
  if (velocity > 0) sound.press(me, midi, velocity)
  else sound.lift(me, midi)
  if (at === null) return
  show(me, midi, velocity, lesson.timeline.beat(at))
  if (velocity > 0) {
    takes.played(at, midi, velocity)
    lesson.say('play_note', { midi, velocity, at })
  } else lesson.say('note_off', { midi, at })
}

/** A note came from the room. */
function hear({ who, midi, velocity, at, beat }: Note): void {
  if (!lesson || who === lesson.me.id) return
  show(who, midi, velocity, beat)
  piano.mark(midi, velocity > 0)
  const ahead = at - lesson.clock.now()
  if (velocity === 0) sound.lift(who, midi)
  else if (sound.others && !(ahead < -tooOld)) sound.press(who, midi, velocity, ahead > 0 ? ahead : 0)
}

function show(who: string, midi: number, velocity: number, beat: number): void {
  roll.notes.take(who, midi, velocity, beat)
  roll.touch()
  people.playing(who, roll.notes.held(who))
}

function showRefusal({ reason, code }: Refusal): void {
  const words = reason || code
  find('notice').textContent = words.charAt(0).toUpperCase() + words.slice(1)
  clearTimeout(noticeTimer)
  noticeTimer = window.setTimeout(() => (find('notice').textContent = ''), noticeFor)
}

function showSound(state: AudioState): void {
  find('sound').dataset.state = state
  find('sound-words').textContent = soundWords[state]
  find('sound-on').hidden = state === 'running' || state === 'closed'
  if (state === 'running') lesson?.report()
  if (state === 'running' && document.activeElement === document.body) find('hear-click').focus()
  if (lesson) metronome.showClock(lesson)
}

function frame(): void {
  const timeline: Timeline | null | undefined = lesson?.timeline
  if (lesson && timeline && Number.isFinite(lesson.clock.now())) {
    const shown = shownAt(timeline, lesson.clock.now())
    metronome.show(shown)
    roll.draw(timeline, shown.position)
  }
  requestAnimationFrame(frame)
}

function setUp(): void {
  const input = (testid: string) => find<HTMLInputElement>(testid)
  find('sound-on').addEventListener('click', () => scheduler.unlock())
  find('leave').addEventListener('click', () => void leave())
  input('hear-click').addEventListener('change', ({ target }) => (sound.click = (target as HTMLInputElement).checked))
  input('hear-others').addEventListener('change', ({ target }) => {
    sound.others = (target as HTMLInputElement).checked
    if (!sound.others) sound.hush()
  })
  input('volume').addEventListener('input', ({ target }) => (sound.volume = Number((target as HTMLInputElement).value) / 100))
  input('calibration').addEventListener('change', ({ target }) => scheduler.calibrate(Number((target as HTMLInputElement).value) || 0))
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) piano.lift()
    else lesson?.clock.wake()
    scheduler.look()
  })
}

declare global {
  interface Window {
    tuttiClassroom: object
  }
}

window.tuttiClassroom = {
  clicks: () => computed,
  ready: () => lesson?.clock.ready ?? false,
  uncertainty: () => lesson?.clock.uncertainty() ?? null,
  tally: () => scheduler.tally,
}
setUp()
const door = new Door(enter)
if (door.complete) enter(door.wish)
requestAnimationFrame(frame)

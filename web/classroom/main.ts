// The music classroom: a room in which everybody hears one clock.
//
// A link such as /classroom#key=KEY&room=7b&name=Ann&role=teacher comes in at
// once; &token=TOKEN adds a user's token, whose role counts, &renew=URL says where
// the page asks for the next one, and &private=yes makes it the private room of that
// name. All of it is taken out of the address bar. A link with another token that is
// opened in the same tab goes on with the lesson.
//
// Names for browser tests (data-testid), kept stable:
//   link (data-state: out, joining, joined, lost, refused)  who  leave  problem
//   door       door-form name room-name role-student role-teacher role-listener
//              server-fold url key token private enter
//   lesson     notice (refusals)
//   pass       pass (data-state: soon, over) pass-title pass-words pass-form
//              pass-token pass-use pass-outcome
//   sound      sound (data-state: locked, starting, running, interrupted, closed)
//              sound-words sound-on hear-click hear-others volume calibration
//   metronome  metronome (data-mode: stopped, counting, playing) bar beat bpm-now
//              meter-now mode lamps own-clock (data-grade: unknown, good, fair, poor)
//              advice advice-what advice-do
//   transport  transport start count-in stop at tempo-form bpm ramp tempo-set
//              slower faster tap meter-form meter meter-set seek-form seek-bar seek
//   intervals  interval-form interval-bars interval-set (of who leads); intervals
//              interval-ring interval-fill interval-left interval-words loop-list,
//              with one loop (data-heard) each; loop-repeat loop-own
//              loop-clear-mine loop-clear-all
//   playing    playing roll legend, with one player each; instrument piano key-MIDI
//              octave-down octave-up computer-keys velocity midi midi-words
//              piano-words own-part
//   takes      takes (data-state: idle, running) take-state take-form take-grid
//              take-start take-stop take-table, with one take-row each; take-score
//              take-picture picture take-words take-empty
//   people     people-count people, with one person (data-id, data-name) each;
//              in it person-role person-part person-heard person-quality
//              person-plays person-mute person-solo person-manage, and in that
//              person-part-name person-part-colour person-part-set person-give
//   reflections  reflections reflection-form mood-1 to mood-5 reflection-text
//              reflect reflection-words reflection-guest reflection-list, with one
//              reflection (data-id, data-mood) each
//
// What the page computes stands in window.tuttiClassroom (probe.ts).

import '../shared/base.css'
import './styles.css'
import { find, showProblem } from '../shared/dom'
import { browserTimers, Scheduler, type AudioState, type Beat, type Time } from '../music'
import { advise } from './advice'
import { Door, type Wish } from './door'
import { Intervals } from './intervals'
import type { Lesson, Link } from './lesson'
import { Loops, type LoopNote } from './loops'
import { Metronome, shownAt } from './metronome'
import type { Strike } from './midi'
import { PassCard } from './passcard'
import { People } from './people'
import { Piano } from './piano'
import { Probe } from './probe'
import { plays, type Note, type Refusal } from './protocol'
import { qualityOf } from './quality'
import { Reflections } from './reflections'
import { Roll } from './roll'
import { Speaker } from './speaker'
import { Takes } from './takes'
import { Transport } from './transport'
import { lateBy, linkProblem, linkWords, soundWords } from './words'

const noticeFor = 8_000
// A note that is older when it comes, in ms, is seen and not heard.
const tooOld = 2_000
const healthEvery = 1_000
const clicksAhead = 1_000
// The first answers come while the page is busy with itself.
const answersToJudge = 20

let lesson: Lesson | null = null
let comings = 0
const current = (): Lesson | null => lesson
const speaker = new Speaker()
const roll = new Roll()
const metronome = new Metronome()
const transport = new Transport(current)
const people = new People(current)
const takes = new Takes(current)
const reflections = new Reflections(current)
const piano = new Piano(play)
const loops = new Loops()
const intervals = new Intervals(current, loops, () => looping.look())
const passCard = new PassCard(current, (token) => lesson?.wish.token && door.renewed(token))
const probe = new Probe()
let noticeTimer = 0

const time: Time = {
  get ready() {
    return lesson?.clock.ready ?? false
  },
  server: (local) => lesson?.clock.server(local) ?? NaN,
  local: (server) => lesson?.clock.local(server) ?? NaN,
}
const common = {
  time, now: () => performance.now(), timers: browserTimers, makeAudio: speaker.make, hidden: () => document.hidden,
}
const scheduler = new Scheduler<Beat, ReturnType<Speaker['make']>>({
  ...common,
  clicks: { between: (from, to) => lesson?.timeline?.between(from, to) ?? [] },
  sound: (click, when) => probe.note(click, when, time.local(click.at), speaker.tick(click.accent, when)),
  watch: showSound,
  // Far ahead, as phones and laptops that save energy stand still for half a second;
  // what a change makes wrong is taken back.
  settings: { ahead: clicksAhead },
})
// Notes of loops are as many clicks, of another sound.
const looping = new Scheduler<LoopNote, ReturnType<Speaker['make']>>({
  ...common,
  clicks: { between: (from, to) => (lesson?.timeline ? loops.between(from, to, lesson.timeline) : []) },
  sound: (note, when) => probe.loop(note, when, time.local(note.at), speaker.ring(note, when)),
})

loops.hears = (who) => {
  const person = lesson?.person(who)
  if (!person || person.muted || !plays(person.role)) return false
  if (lesson?.people.some(({ solo }) => solo) && !person.solo) return false
  return who === lesson?.me.id ? intervals.own : speaker.others
}

async function enter(wish: Wish): Promise<void> {
  const mine = ++comings
  showLink('joining', '')
  let kit: typeof import('./lesson')
  try {
    kit = await import('./lesson')
  } catch {
    return showLink('refused', 'the page cannot be loaded to its end; load it anew')
  }
  if (mine !== comings) return
  lesson = open(kit, wish)
  door.entered(wish)
  lesson.latency = () => scheduler.latency
  void lesson.enter()
}

function open(kit: typeof import('./lesson'), wish: Wish): Lesson {
  const mine: Lesson = new kit.Lesson(wish, {
    link: (link, why) => lesson === mine && showLink(link, why),
    pass: (why) => {
      passCard.show(why)
      if (mine.pass.state === 'over') showProblem(find('problem'), null) // it would say the same
    },
    state: () => {
      // It names no keys that are down, so none is.
      silence()
      look()
      showState(mine)
    },
    time: ({ at }) => {
      scheduler.changed(at)
      looping.changed(at)
      transport.show()
      intervals.show()
    },
    clock: () => metronome.showClock(mine),
    people: () => showPeople(mine),
    role: () => {
      piano.lift()
      showState(mine)
    },
    note: hear,
    loopCleared: (who) => {
      loops.clear(who || undefined)
      looping.look()
    },
    refused: showRefusal,
    take: () => takes.show(),
    takeEnds: (inMs, spoilt) => takes.end(inMs, spoilt),
    score: (score) => takes.showScore(score),
    table: (scores) => takes.showTable(scores),
  })
  return mine
}

function look(): void {
  scheduler.look()
  looping.look()
}

/** Ends all notes that sound. */
function silence(): void {
  speaker.hush()
  piano.unmark()
  for (const { id } of lesson?.people ?? []) people.playing(id, [])
  const timeline = lesson?.timeline
  if (timeline) roll.notes.silence(timeline.beat(lesson?.clock.now() ?? NaN))
  roll.touch()
}

async function leave(): Promise<void> {
  const left = lesson
  comings++
  piano.lift()
  silence()
  lesson = null
  door.left()
  loops.clear()
  scheduler.reset()
  looping.reset()
  roll.clear()
  people.show([])
  passCard.show()
  find('pass').hidden = true
  find('lesson').hidden = true
  find('door').hidden = false
  showLink('out', '')
  find('name').focus()
  await left?.leave()
}

function showLink(link: Link, why: string): void {
  find('link').dataset.state = link
  find('link').textContent = linkWords[link]
  find('leave').hidden = link === 'out'
  if (link === 'out') find('who').hidden = true
  if (link === 'lost') silence()
  showProblem(find('problem'), lesson?.pass.state === 'over' ? null : linkProblem(link, why))
  showHealth()
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
  intervals.show()
  showPeople(of)
  takes.show()
  reflections.show(of)
  metronome.showClock(of)
  // By the time somebody asks for the sound it should be here.
  if (first && !navigator.connection?.saveData) whenIdle(() => void speaker.load().catch(() => undefined))
  if (first && scheduler.state === 'locked') find('sound-on').focus()
}

function showPeople(of: Lesson): void {
  people.show(of.people)
  for (const { id, name, role, part } of of.people) {
    if (plays(role)) roll.introduce(id, name, part)
    people.playing(id, roll.notes.held(id))
  }
  const part = of.person(of.me.id)?.part ?? null
  find('own-part').hidden = part === null
  find('own-part').dataset.colour = String(part?.colour ?? 0)
  if (part && find('own-part').textContent !== part.name) find('own-part').textContent = part.name
  looping.look() // somebody may be muted now
}

/** A key of this page's piano went down or up. */
function play({ midi, velocity }: Strike, local: number): void {
  if (!lesson?.timeline) return
  const at = lesson.server(local)
  const me = lesson.me.id
  if (velocity > 0) speaker.press(me, midi, velocity)
  else speaker.lift(me, midi)
  if (at === null) return
  show(me, midi, velocity, lesson.timeline.beat(at))
  if (velocity > 0) {
    takes.played(at, midi, velocity)
    lesson.say('play_note', { midi, velocity, at })
  } else lesson.say('note_off', { midi, at })
}

/** A note came from the room. */
function hear(note: Note): void {
  if (!lesson?.timeline) return
  const { who, midi, velocity, at, beat } = note
  // In an interval it is heard when that is over, by its player too.
  const looped = loops.take(note, lesson.timeline)
  if (who === lesson.me.id) return
  show(who, midi, velocity, beat)
  piano.mark(midi, velocity > 0)
  const ahead = at - lesson.clock.now()
  if (velocity === 0) speaker.lift(who, midi)
  else if (speaker.others && !looped && !(ahead < -tooOld)) speaker.press(who, midi, velocity, ahead > 0 ? ahead : 0)
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

/** Asks for sound; from a gesture. */
async function turnSoundOn(): Promise<void> {
  if (!speaker.loaded) {
    find('sound-words').textContent = 'The sounds are on their way…'
    try {
      await speaker.load()
    } catch {
      find('sound-words').textContent = 'The sounds could not be loaded. Try again when the connection is better.'
      return
    }
  }
  scheduler.unlock()
  looping.unlock()
}

const lateClicks = lateBy(10_000)

/** Says in plain words when clicks may be late, and what to do. */
function showHealth(): void {
  if (!lesson?.timeline) return metronome.showAdvice(null)
  const { rtt_min, rtt_p95, n } = lesson.clock.report()
  metronome.showClock(lesson)
  metronome.showAdvice(advise({
    quality: qualityOf(lesson), joined: lesson.link === 'joined', sounding: scheduler.state === 'running',
    slowest: n >= answersToJudge ? rtt_p95 : null, fastest: rtt_min, lookAhead: lesson.lookAhead,
    late: lateClicks(scheduler.tally.late, performance.now()),
  }))
}

function frame(): void {
  const timeline = lesson?.timeline
  const now = lesson?.clock.now() ?? NaN
  if (lesson && timeline && Number.isFinite(now)) {
    const shown = shownAt(timeline, now)
    metronome.show(shown)
    roll.draw(timeline, shown.position)
    intervals.draw(timeline, now, lesson.people)
  }
  requestAnimationFrame(frame)
}

function setUp(): void {
  const changed = (testid: string, event: string, act: (input: HTMLInputElement) => void): void => {
    find(testid).addEventListener(event, ({ target }) => act(target as HTMLInputElement))
  }
  find('sound-on').addEventListener('click', () => void turnSoundOn())
  find('leave').addEventListener('click', () => void leave())
  changed('hear-click', 'change', ({ checked }) => {
    speaker.click = checked
    scheduler.reset() // so that it counts from now on
    scheduler.look()
  })
  changed('hear-others', 'change', ({ checked }) => {
    speaker.others = checked
    if (!checked) speaker.hush()
    looping.look()
  })
  changed('volume', 'input', ({ value }) => (speaker.volume = Number(value) / 100))
  changed('calibration', 'change', ({ value }) => {
    for (const one of [scheduler, looping]) one.calibrate(Number(value) || 0)
  })
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) piano.lift()
    else lesson?.clock.wake()
    look()
  })
  setInterval(showHealth, healthEvery)
}

function whenIdle(act: () => void): void {
  // Safari has no such thing yet.
  if ('requestIdleCallback' in window) requestIdleCallback(act, { timeout: 3_000 })
  else setTimeout(act, 300)
}

setUp()
probe.expose(current, scheduler, looping)
const door = new Door((wish) => void enter(wish), (token) => passCard.use(token))
if (door.complete) void enter(door.wish)
else whenIdle(() => void import('./lesson').catch(() => undefined))
requestAnimationFrame(frame)

// The few words that the pages need for talking to the document.

/** Finds the element with a data-testid; the page is wrong if there is none. */
export function find<T extends HTMLElement = HTMLElement>(testid: string): T {
  const element = document.querySelector<T>(`[data-testid="${testid}"]`)
  if (!element) throw new Error(`the page has no element "${testid}"`)
  return element
}

type Attributes = Record<string, string | boolean | undefined>

/** Makes an element; an attribute that is false or undefined is left out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children)
  return element
}

type Problem = { title: string; cause: string; cure: string; command?: string }

/** Shows an explanation in its place, or hides the place when there is none. */
export function showProblem(place: HTMLElement, problem: Problem | null): void {
  // Told once, even if it happens again and again: screen readers announce it.
  if (problem && !place.hidden && place.firstChild?.textContent === problem.title) return
  place.hidden = problem === null
  place.replaceChildren()
  if (!problem) return
  place.append(make('strong', {}, problem.title), make('p', {}, problem.cause), make('p', {}, problem.cure))
  if (problem.command) place.append(copyable(problem.command))
}

/** Makes a line or more of code with a button that copies it. */
export function copyable(text: string): HTMLElement {
  const code = make('code', {}, text)
  return make('div', { class: 'copyable' }, code, copyButton(() => code.textContent ?? ''))
}

/** Makes a button that copies what text returns, and says whether it could. */
export function copyButton(text: () => string, testid?: string): HTMLButtonElement {
  const button = make('button', { type: 'button', class: 'small', 'data-testid': testid }, 'Copy')
  let timer = 0
  button.addEventListener('click', async () => {
    button.textContent = (await copy(text())) ? 'Copied' : 'Not allowed'
    clearTimeout(timer)
    timer = window.setTimeout(() => (button.textContent = 'Copy'), 2000)
  })
  return button
}

/** The time of day with milliseconds, in 24 hours. */
export function clock(at: number): string {
  const d = new Date(at)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`
}

/** Copies text, also on pages without TLS, where browsers have no clipboard API. */
export async function copy(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text)
      return true
    } catch {
      // Not permitted; the old way below may still be.
    }
  }
  const field = make('textarea', { class: 'offscreen', readonly: true, 'aria-hidden': 'true' })
  const focused = document.activeElement
  field.value = text
  document.body.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return copied
}

/** Makes a short random word. Works without TLS, unlike crypto.randomUUID. */
export function randomWord(): string {
  const [number] = crypto.getRandomValues(new Uint16Array(1))
  return (number ?? 0).toString(16).padStart(4, '0')
}

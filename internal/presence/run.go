package presence

import (
	"context"
	"sync"
	"time"
)

// askDelay is how long topics that were begun to listen to are collected: each
// time costs a message to every node.
const askDelay = 5 * time.Millisecond

// bells wake Run.
type bells struct{ changes, hurry bell }

// A bell is rung by many and heard by one. Rung twice it sounds once.
type bell struct {
	once  sync.Once
	sound chan struct{}
}

func (b *bell) heard() chan struct{} {
	b.once.Do(func() { b.sound = make(chan struct{}, 1) })
	return b.sound
}

func (b *bell) ring() {
	select {
	case b.heard() <- struct{}{}:
	default:
	}
}

// Run tells other nodes what happens here until the context ends. Only one may
// run. A single node needs none.
func (r *Roster) Run(ctx context.Context) error {
	if r.Tell == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	due := r.turn()
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		sooner := due
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.far.bells.changes.heard():
			sooner = time.Now().Add(r.delay())
		case <-r.far.bells.hurry.heard():
			sooner = time.Now().Add(askDelay)
		case <-timer.C:
			due = r.turn()
			timer.Reset(time.Until(due))
			continue
		}
		if sooner.Before(due) {
			due = sooner
			timer.Reset(time.Until(due))
		}
	}
}

// turn does all that is due, and returns when the next turn is.
func (r *Roster) turn() (due time.Time) {
	defer r.enter()()
	x := &r.far
	now := r.now()
	r.gather(now)
	r.cease(now)
	if !now.Before(x.next) {
		x.next = now.Add(r.compare())
		for _, p := range x.peers {
			if p.theirs == 0 {
				r.hello(p)
			} else {
				r.digest(p)
			}
		}
	}
	for _, p := range x.peers {
		r.flush(p)
	}
	r.answered()
	due = x.next
	if len(x.asks) > 0 && x.asks[0].deadline.Before(due) {
		due = x.asks[0].deadline
	}
	return due
}

func (r *Roster) now() time.Time {
	if r.clock != nil {
		return r.clock()
	}
	return time.Now()
}

func (r *Roster) delay() time.Duration {
	return min(or(r.Delay, 50*time.Millisecond), 1500*time.Millisecond)
}
func (r *Roster) wait() time.Duration    { return or(r.Wait, 300*time.Millisecond) }
func (r *Roster) linger() time.Duration  { return or(r.Linger, 5*time.Second) }
func (r *Roster) compare() time.Duration { return or(r.Compare, 2*time.Second) }

func or(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

package relay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// askAgain asks other nodes where they are in those streams of which it is not
// known, when that may have changed.
func (r *Relay) askAgain(ctx context.Context) {
	_, asks := r.bells()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asks:
		}
		r.askAll(ctx)
		select { // whatever happens
		case <-ctx.Done():
			return
		case <-time.After(beat):
		}
	}
}

func (r *Relay) askAll(ctx context.Context) {
	const atOnce = 500
	notes, streams := r.doubtful()
	for len(notes) > 0 && ctx.Err() == nil {
		n := min(len(notes), atOnce)
		r.ask(ctx, notes[:n], streams[:n])
		notes, streams = notes[n:], streams[n:]
	}
}

// doubtful returns the streams that this node owns and that others may follow.
func (r *Relay) doubtful() (notes []note, streams []*Stream) {
	for _, s := range r.all() {
		s.mu.Lock()
		if s.owner != nil && s.owner.doubts() {
			notes, streams = append(notes, note{line: s.line, term: s.owner.term}), append(streams, s)
		}
		s.mu.Unlock()
	}
	return notes, streams
}

func (r *Relay) ask(ctx context.Context, notes []note, streams []*Stream) {
	quick, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	replies, _, err := r.Bus.Ask(quick, notesOf(kindOwn, notes...))
	if err != nil {
		return // it is asked again
	}
	now := time.Now()
	for _, reply := range replies {
		epoch, all, missing, err := decodeAnswers(reply.Payload)
		if reply.Err != nil || err != nil || len(all) != len(notes) {
			continue
		}
		r.misses(missing, now)
		for i, s := range streams {
			s.mu.Lock()
			if s.owner != nil && s.owner.term == notes[i].term {
				s.owner.answered(reply.Node, epoch, &all[i], now)
				s.owner.settle()
			}
			s.mu.Unlock()
		}
	}
}

// Drop calls do, which drops the slot of a stream, when no node uses that any
// more; while it does, no node can begin to. It reports whether do was called.
// Where another node goes on with the stream, or one is missing that might, the
// slot is left; the latter is logged, as nobody may come to drop it.
func (r *Relay) Drop(ctx context.Context, tenant string, key uint64, do func(context.Context) error) (done bool, err error) {
	l := line{tenant, key}
	if used, err := r.used(ctx, l); used || err != nil {
		return false, err
	}
	lease, _, err := r.Bus.Hold(ctx, l.lease())
	if err != nil {
		return false, fmt.Errorf("hold the lease of the stream: %w", err)
	}
	defer lease.Release()
	if used, err := r.used(ctx, l); used || err != nil {
		return false, err
	}
	if !lease.Valid() {
		return false, errLapsed
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(lease.Context(), func() { stop(errLapsed) })()
	return true, do(ctx)
}

// used reports whether a node uses a stream, or might.
func (r *Relay) used(ctx context.Context, l line) (bool, error) {
	log := r.Log.With("tenant", l.tenant)
	if r.stream(l) != nil {
		log.Debug("the replication slot stays: it is read again")
		return true, nil
	}
	quick, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	replies, silent, err := r.Bus.Ask(quick, notesOf(kindUses, note{line: l}))
	if err != nil {
		return false, fmt.Errorf("ask who uses the stream: %w", err)
	}
	var missing []gap
	for _, reply := range replies {
		_, all, gaps, err := decodeAnswers(reply.Payload)
		switch {
		case reply.Err != nil || err != nil || len(all) != 1:
			silent = append(silent, reply.Node)
		case all[0].status != answerNone:
			log.Debug("the replication slot stays: another node uses it", "node", reply.Node)
			return true, nil
		}
		missing = append(missing, gaps...)
	}
	lacking := r.lacking(time.Now(), missing)
	for _, reply := range replies {
		delete(lacking, reply.Node)
	}
	silent = slices.AppendSeq(silent, maps.Keys(lacking))
	if len(silent) > 0 {
		log.Warn("the replication slot stays: a node is missing that may use it", "nodes", silent)
		return true, nil
	}
	return false, nil
}

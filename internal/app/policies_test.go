package app

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/channel"
	"github.com/tutti-realtime/tutti/internal/database"
	"github.com/tutti-realtime/tutti/internal/feed"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// somePolicies answers in place of a database what a conversation says. What it
// says nothing of is denied.
type somePolicies struct {
	loops []feed.Loop

	mu     sync.Mutex // guards all below
	rules  map[string]rule
	stored map[string][]postgres.Stored // by topic
	delay  time.Duration                // of each answer to what is asked from now on
	asked  int
	last   database.Question
}

type rule struct {
	permission postgres.Permission
	err        error
}

// policies returns the script's policies. Asked for before the server runs they
// are the server's.
func (s *script) policies() *somePolicies {
	if s.stub == nil {
		s.stub = &somePolicies{rules: map[string]rule{}, stored: map[string][]postgres.Stored{}}
	}
	return s.stub
}

// policy reads "read ROLE TOPIC broadcast,presence", "write ROLE TOPIC -",
// "read ROLE TOPIC error Code: Reason", "replay TOPIC error", "after 2s" and
// "asked 3".
func (s *script) policy(what string) {
	p := s.policies()
	words := strings.SplitN(what, " ", 4)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch words[0] {
	case "after":
		var err error
		if p.delay, err = time.ParseDuration(words[1]); err != nil {
			s.fatalf("%v", err)
		}
	case "asked":
		if got := strconv.Itoa(p.asked); words[1] != "any" && got != words[1] {
			s.fatalf("policies were asked %s times, want %s", got, words[1])
		}
		p.asked = 0
	case "headers":
		if got := string(p.last.Headers); got != words[1] {
			s.fatalf("policies saw the headers %s, want %s", got, words[1])
		}
	case "replay":
		p.rules["replay "+words[1]] = rule{err: errors.New(words[2])}
	default:
		p.rules[strings.Join(words[:3], " ")] = parseRule(words[3])
	}
}

func parseRule(text string) (r rule) {
	if reason, is := strings.CutPrefix(text, "error "); is {
		code, reason, _ := strings.Cut(reason, ": ")
		return rule{err: &postgres.Refusal{
			Client: &tutti.Error{Code: code, Reason: reason}, Code: code, Err: errors.New("a detail"),
		}}
	}
	for name := range strings.SplitSeq(text, ",") {
		r.permission.Broadcast = r.permission.Broadcast || name == "broadcast"
		r.permission.Presence = r.permission.Presence || name == "presence"
	}
	return r
}

// store reads "TOPIC ID EVENT json|bytes PAYLOAD": a message of the past.
func (s *script) store(what string) {
	m := strings.SplitN(what, " ", 5)
	stored := postgres.Stored{ID: m[1], Event: m[2], Payload: []byte(m[4]), Binary: m[3] == "bytes"}
	if stored.Binary {
		stored.Payload, _ = hex.DecodeString(m[4])
	}
	p := s.policies()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored[m[0]] = append(p.stored[m[0]], stored)
}

// row reads "TOPIC ID EVENT json|bytes PAYLOAD": a message that comes from the
// database now.
func (s *script) row(what string) {
	m := strings.SplitN(what, " ", 5)
	message := tutti.Message{
		Topic: tutti.Topic{Tenant: "acme", Name: m[0], Private: true},
		Form:  tutti.JSON, Event: m[2], Meta: []byte(`{"id":"` + m[1] + `"}`), Payload: []byte(m[4]),
	}
	if m[3] == "bytes" {
		message.Form = tutti.Binary
		message.Payload, _ = hex.DecodeString(m[4])
	}
	s.app.topics.Deliver(message)
}

// reauthorize reads "topic=t sub=s count=1".
func (s *script) reauthorize(what string) {
	o := options(what)
	got, err := s.app.sockets.Reauthorize(context.Background(), "acme", channel.Who{Topic: o["topic"], Subject: o["sub"]})
	if err != nil || strconv.Itoa(got) != cmp.Or(o["count"], "1") {
		s.fatalf("%d channels were asked: %v", got, err)
	}
}

// find returns the answer to a question that is asked now.
func (p *somePolicies) find(kind string, q *database.Question) (r rule, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	p.last = *q
	r = p.rules[kind+" "+q.Claims.Role+" "+q.Topic]
	r.permission.Presence = r.permission.Presence && q.Presence
	return r, p.delay
}

func (p *somePolicies) post(loop int, delay time.Duration, f func()) {
	if delay == 0 {
		p.loops[loop].Post(0, 0, f)
		return
	}
	time.AfterFunc(delay, func() { p.loops[loop].Post(0, 0, f) })
}

func (p *somePolicies) MayRead(q database.Question, loop int, answer func(postgres.Permission, error)) {
	r, delay := p.find("read", &q)
	p.post(loop, delay, func() { answer(r.permission, r.err) })
}

func (p *somePolicies) MayWrite(q database.Question, loop int, answer func(postgres.Permission, error)) {
	r, delay := p.find("write", &q)
	p.post(loop, delay, func() { answer(r.permission, r.err) })
}

func (p *somePolicies) Replay(q database.Question, since time.Time, limit int, loop int, answer func([]postgres.Stored, error)) {
	p.mu.Lock()
	past, err, delay := p.stored[q.Topic], p.rules["replay "+q.Topic].err, p.delay
	p.mu.Unlock()
	if since.UnixMilli() > 1_000_000_000_000 {
		past = nil
	}
	past = past[max(0, len(past)-limit):]
	p.post(loop, delay, func() { answer(past, err) })
}

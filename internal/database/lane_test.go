package database

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
)

// slow answers after a while.
func slow(d time.Duration) *server {
	return &server{answer: func(ctx context.Context, _ kind, _ postgres.Asker, _ bool) (postgres.Permission, error) {
		select {
		case <-time.After(d):
			return postgres.Permission{Broadcast: true}, nil
		case <-ctx.Done():
			return postgres.Permission{}, context.Cause(ctx)
		}
	}}
}

func TestAPoolIsAsManyQuestionsAtOnce(t *testing.T) {
	try(t, slow(time.Second), func(b *bench) {
		var all []*reply
		one := customer("one", "db_pool", 3.0)
		for i := range 7 {
			all = append(all, b.read(about(one, fmt.Sprint(i))))
		}
		other := b.read(about(customer("other"), "0"))
		time.Sleep(time.Second)
		b.turn()
		other.is(t, "")
		for i, r := range all[:3] {
			if r.times != 1 || r.after != time.Second {
				t.Errorf("question %d: answered %d times, after %v", i, r.times, r.after)
			}
		}
		if all[3].times != 0 {
			t.Error("a fourth was answered at once")
		}
		time.Sleep(3 * time.Second)
		b.turn()
		for _, r := range all {
			r.is(t, "")
		}
		if db := b.server.of("one")[0]; db.most != 3 || db.prepared != 1 {
			t.Errorf("%d at once, prepared %d times", db.most, db.prepared)
		}
	})
}

func TestEqualQuestionsShareAnAnswer(t *testing.T) {
	try(t, slow(time.Second), func(b *bench) {
		one := customer("one", "db_pool", 5.0)
		first := b.read(about(one, "a"))
		synctest.Wait() // it has begun
		var late []*reply
		for range 100 {
			late = append(late, b.read(about(one, "a")))
		}
		time.Sleep(time.Second)
		b.turn()
		first.is(t, "")
		for _, r := range late {
			if r.times != 0 {
				t.Fatal("answered by a question that began before it was asked")
			}
		}
		time.Sleep(time.Second)
		b.turn()
		for _, r := range late {
			r.is(t, "")
		}
		if n := len(b.server.databases()[0].asks); n != 2 {
			t.Errorf("the database was asked %d times", n)
		}
	})
}

func TestDifferentQuestionsShareNothing(t *testing.T) {
	try(t, slow(time.Second), func(b *bench) {
		one := customer("one")
		b.read(about(one, "first")) // the others queue behind it
		base := about(one, "a")
		all := []Question{base}
		for _, change := range []func(*Question){
			func(q *Question) { q.Topic = "b" },
			func(q *Question) { q.Claims.Role = "authenticated" },
			func(q *Question) { q.Claims.Subject = "s" },
			func(q *Question) { q.Claims.Raw = []byte(`{"role":"anon","more":1}`) },
			func(q *Question) { q.Headers = []byte(`{"x-a":"1"}`) },
			func(q *Question) { q.Presence = true },
		} {
			q := base
			change(&q)
			all = append(all, q)
		}
		for _, q := range all {
			b.read(q)
			b.read(q)
		}
		b.MayWrite(base, 0, func(postgres.Permission, error) {})
		time.Sleep(10 * time.Second)
		b.turn()
		if n := len(b.server.databases()[0].asks); n != 1+len(all)+1 {
			t.Errorf("asked %d times, want %d", n, 1+len(all)+1)
		}
	})
}

func TestAQuestionIsAskedAsItWas(t *testing.T) {
	try(t, &server{}, func(b *bench) {
		q := about(customer("one"), "a")
		q.Claims.Subject, q.Headers = "me", []byte(`{"x-a":"1"}`)
		b.read(q)
		copy(q.Headers, "????????") // they are the caller's again
		b.turn()
		got := b.server.databases()[0].asks[0]
		want := postgres.Asker{Topic: "a", Role: "anon", Subject: "me", Claims: []byte(`{"role":"anon"}`), Headers: []byte(`{"x-a":"1"}`)}
		if fmt.Sprintf("%s", got) != fmt.Sprintf("%s", want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestNobodyWaitsForever(t *testing.T) {
	try(t, slow(40*time.Second), func(b *bench) {
		one := customer("one")
		first := b.read(about(one, "first"))
		synctest.Wait()
		waiting, also := b.read(about(one, "a")), b.read(about(one, "first"))
		time.Sleep(time.Second)
		later := b.read(about(one, "a"))
		time.Sleep(14 * time.Second)
		b.turn()
		waiting.is(t, poolText)
		also.is(t, poolText)
		if later.times != 0 {
			t.Error("one that shared the question did not get its 15 seconds")
		}
		time.Sleep(time.Second)
		b.turn()
		later.is(t, poolText)
		time.Sleep(30 * time.Second)
		b.turn()
		first.is(t, "")
		if n := len(b.server.databases()[0].asks); n != 1 {
			t.Errorf("asked %d times: nobody waited for more than one", n)
		}
	})
}

func TestTheQueueHasAnEnd(t *testing.T) {
	try(t, slow(time.Minute), func(b *bench) {
		one := customer("one")
		for i := range maxQuestions {
			b.read(about(one, fmt.Sprint(i)))
		}
		over := b.read(about(one, "over"))
		other := b.read(about(customer("other"), "a"))
		b.turn()
		over.is(t, poolText)
		time.Sleep(time.Minute)
		b.turn()
		other.is(t, "")
		again := b.read(about(one, "again"))
		time.Sleep(time.Minute)
		b.turn()
		again.is(t, "")
	})
}

func TestADatabaseThatNobodyUsesIsClosed(t *testing.T) {
	try(t, &server{}, func(b *bench) {
		one := customer("one")
		b.read(about(one, "a"))
		time.Sleep(maxIdle - time.Second)
		b.read(about(one, "a"))
		time.Sleep(maxIdle - time.Second)
		synctest.Wait()
		if db := b.server.databases()[0]; db.closed || len(db.asks) != 2 {
			t.Fatalf("closed %v after %d questions", db.closed, len(db.asks))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if db := b.server.databases()[0]; !db.closed {
			t.Error("still open")
		}
		r := b.read(about(one, "a"))
		b.turn()
		r.is(t, "")
		if n := len(b.server.databases()); n != 2 {
			t.Errorf("%d databases", n)
		}
	})
}

func TestOtherSettingsAreAnotherDatabase(t *testing.T) {
	try(t, slow(time.Second), func(b *bench) {
		before, after := customer("one"), customer("one", "db_host", "elsewhere")
		var old []*reply
		for i := range 3 {
			old = append(old, b.read(about(before, fmt.Sprint(i))))
		}
		synctest.Wait()
		b.TenantChanged("one", after)
		fresh := b.read(about(after, "a"))
		time.Sleep(time.Second)
		b.turn()
		fresh.is(t, "")
		time.Sleep(2 * time.Second)
		b.turn()
		for _, r := range old {
			r.is(t, "")
		}
		all := b.server.databases()
		if len(all) != 2 || !all[0].closed || all[1].closed || all[1].settings.Host != "elsewhere" {
			t.Errorf("of %d databases the old one is closed %v", len(all), all[0].closed)
		}
		// Nobody told of this one but the question.
		r := b.read(about(customer("one", "db_pool", 2.0), "a"))
		time.Sleep(time.Second)
		b.turn()
		r.is(t, "")
		if all = b.server.databases(); len(all) != 3 || !all[1].closed {
			t.Errorf("%d databases, and the second is closed %v", len(all), all[1].closed)
		}
	})
}

func TestSettingsThatAreNotOfTheConnectionLeaveItOpen(t *testing.T) {
	try(t, &server{}, func(b *bench) {
		b.read(about(customer("one"), "a"))
		b.turn()
		after := customer("one", "replay_limit", 50.0, "recheck_seconds", 5.0, "retention_hours", 1.0)
		b.TenantChanged("one", after)
		b.read(about(after, "b"))
		b.turn()
		if all := b.server.databases(); len(all) != 1 || all[0].closed {
			t.Errorf("%d databases", len(all))
		}
	})
}

func TestATenantThatIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		after *tutti.Tenant
		want  string
	}{
		"deleted":                     {nil, goneText},
		"with its database withdrawn": {&tutti.Tenant{ExternalID: "one"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, slow(time.Hour), func(b *bench) {
				one := customer("one")
				running := b.read(about(one, "a"))
				synctest.Wait()
				waiting := b.read(about(one, "b"))
				b.TenantChanged("one", tt.after)
				b.turn()
				for _, r := range []*reply{running, waiting} {
					r.is(t, tt.want)
					if r.permission.Broadcast {
						t.Error("allowed")
					}
				}
				if !b.server.databases()[0].closed {
					t.Error("still open")
				}
			})
		})
	}
}

func TestQuestionsWithoutUse(t *testing.T) {
	for name, tt := range map[string]struct {
		tenant *tutti.Tenant
		want   string
	}{
		"a setting makes no sense": {
			customer("one", "db_port", "many"),
			"DatabaseSettingsInvalid: setting db_port must be a whole number from 1 to 65535",
		},
		"there is no database, so nothing is allowed": {&tutti.Tenant{ExternalID: "one"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, &server{}, func(b *bench) {
				for range 3 {
					r := b.read(about(tt.tenant, "a"))
					b.turn()
					if r.is(t, tt.want); r.permission.Broadcast {
						t.Error("allowed")
					}
				}
				if n := b.log.count("refused"); tt.want != "" && n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

func TestADatabaseThatCannotBeOpened(t *testing.T) {
	try(t, &server{openErr: fmt.Errorf("setting ssl_ca_cert holds no certificate")}, func(b *bench) {
		for range 2 {
			r := b.read(about(customer("one"), "a"))
			b.turn()
			r.is(t, "DatabaseSettingsInvalid: setting ssl_ca_cert holds no certificate")
		}
	})
}

func TestBeforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(time.Hour))
		one := customer("one")
		early := b.read(about(one, "early"))
		b.turn()
		if early.times != 0 { // a server that starts lets clients in at once
			t.Errorf("answered before it could be: %v", early.err)
		}
		b.run()
		running := b.read(about(one, "a"))
		synctest.Wait()
		waiting := b.read(about(one, "b"))
		b.stop()
		late := b.read(about(one, "a"))
		b.turn()
		for _, r := range []*reply{early, running, waiting, late} {
			r.is(t, stoppingText)
		}
	})
}

// The context may end a lane a moment before Databases know of its end.
func TestALaneThatEndedIsAskedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(time.Hour))
		b.begin()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var all []*reply
		for range 2 {
			all = append(all, b.read(about(customer("one"), "a")))
			for _, l := range b.take() {
				l.run(ended)
			}
		}
		b.turn()
		for _, r := range all {
			r.is(t, stoppingText)
		}
	})
}

func TestCheckWriteWaitsForItsContextToo(t *testing.T) {
	try(t, slow(time.Minute), func(b *bench) {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if _, err := b.CheckWrite(ctx, about(customer("one"), "a")); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		p, err := b.CheckWrite(b.t.Context(), about(customer("other"), "a"))
		if err != nil || !p.Broadcast {
			t.Errorf("got %v, %v", p, err)
		}
	})
}

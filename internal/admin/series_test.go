package admin

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tutti-realtime/tutti/internal/limit"
)

// quiet is a console that only records.
func quiet() *Console { return New(&Console{Meters: &limit.Meters{}, Sockets: closed{}}) }

func TestTenMinutesAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := quiet()
		m := c.Meters.Of("acme")
		m.EnterUser(10)
		for range 15 * 60 {
			m.Events.Add(0, 10)
			c.record(time.Now())
			time.Sleep(time.Second)
		}
		points := c.recorder.points("acme")
		if len(points) != steps && len(points) != steps-1 {
			t.Fatalf("%d points are kept", len(points))
		}
		for i, p := range points {
			if p.Connections != 1 || p.Events != 10 || i > 0 && p.At-points[i-1].At != step*1000 {
				t.Errorf("point %d is %+v", i, p)
			}
		}
		if all := c.recorder.points(""); len(all) != len(points) || all[len(all)-1].Events != 10 {
			t.Errorf("of all tenants there are %d points", len(all))
		}
		if got := c.recorder.points("nobody"); got != nil {
			t.Errorf("somebody unknown has %v", got)
		}
	})
}

func TestCountersThatBeginAnewAreNoNegativeRate(t *testing.T) {
	t.Parallel()
	if p := (counts{events: 5}).point(counts{events: 1000, joins: 7}, 1); p.Events != 5 || p.Joins != 0 {
		t.Errorf("%+v", p)
	}
}

func TestTenantsThatAreGoneAreForgottenAndManyAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := quiet()
		held := make([]*limit.Tenant, 0, mostRings+500)
		for i := range mostRings + 500 {
			held = append(held, c.Meters.Of(fmt.Sprint(i)))
		}
		c.record(time.Now())
		if n := len(c.recorder.rings); n != mostRings {
			t.Errorf("%d have a series", n)
		}
		_ = held
		c.Meters = &limit.Meters{}
		time.Sleep(steps*step*time.Second + time.Second)
		c.record(time.Now())
		if n := len(c.recorder.rings); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestNumbersAreTakenOftenOnlyWhileSomebodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := quiet()
		m := c.Meters.Of("acme")
		c.record(time.Now())
		taken := func() (n int) {
			for range 2 * step {
				time.Sleep(time.Second)
				m.Events.Add(0, 1)
				before := c.recorder.rings["acme"].second.events
				c.record(time.Now())
				if c.recorder.rings["acme"].second.events != before {
					n++
				}
			}
			return n
		}
		if n := taken(); n != 2 {
			t.Errorf("with nobody there they were taken %d times in %d s", n, 2*step)
		}
		c.recorder.fill(&numbers{})
		if n := taken(); n != 2*step {
			t.Errorf("with somebody there they were taken %d times in %d s", n, 2*step)
		}
	})
}

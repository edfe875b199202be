package load

import (
	"context"
	"fmt"
	"time"
)

// idle is the scenario in which nothing is said: what a connection costs.
type idle struct{ runner *runner }

func (s *idle) join(id int) (topic, payload []byte) { return s.runner.roomJoin(id, "") }

func (s *idle) receive(*conn, message) bool { return false }

func (s *idle) play(ctx context.Context, report *Report) error {
	return s.runner.measure(report, func() {
		s.runner.pump(ctx, s.runner.now()+s.runner.settings.Duration, hold)
	})
}

// measure counts the time of the server's processor that goes by during work.
// A report that says already how long it took keeps that.
func (r *runner) measure(report *Report, work func()) error {
	from, err := r.server.sample()
	if err != nil {
		return fmt.Errorf("look at the server's process: %w", err)
	}
	start := r.now()
	work()
	to, err := r.server.sample()
	if err != nil {
		return fmt.Errorf("look at the server's process: %w", err)
	}
	report.spent.cpu, report.spent.wall = to.cpu-from.cpu, r.now()-start
	if report.Seconds == 0 {
		report.Seconds = report.spent.wall.Seconds()
	}
	return nil
}

// spent is what the server's processor did while a load was played.
type spent struct{ cpu, wall time.Duration }

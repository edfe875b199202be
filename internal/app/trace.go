package app

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// nodeName is the name that others know this node by.
func (c *Config) nodeName() string {
	if !c.Cluster.Several() {
		return c.AppName
	}
	if c.Cluster.Node != "" {
		return c.Cluster.Node
	}
	host, _ := os.Hostname() // Config.bus says why not
	return host
}

// sign makes the log of the node of that of the process: lines say which node
// they are of, and none is repeated over and over.
func (a *App) sign(log *slog.Logger) *slog.Logger {
	a.repeats = &repeats{}
	a.log = slog.New(a.repeats.Handler(log.Handler())).With("node", a.config.nodeName())
	if a.config.Region != "" {
		a.log = a.log.With("region", a.config.Region)
	}
	if a.config.Cluster.Several() {
		a.log = a.log.With("cluster", a.config.Cluster.Name)
	}
	return a.log
}

// openTracer makes the tracer, where there is to be one, and the metric of the
// log.
func (a *App) openTracer(registry prometheus.Registerer) error {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tutti_log_lines_held_total",
		Help: "Lines of the log that were counted and not printed, because they said what others had said before.",
	}, func() float64 { return float64(a.repeats.held.Load()) }))
	on, err := a.config.Traces.on()
	if err != nil || !on {
		return err
	}
	settings, err := a.config.Traces.settings(map[string]string{
		"service.version": a.config.Version, "service.instance.id": a.config.nodeName(), "region": a.config.Region,
	})
	if err != nil {
		return err
	}
	if a.tracer, err = trace.New(settings, a.log, registry); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

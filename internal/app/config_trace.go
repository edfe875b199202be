package app

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/tutti-realtime/tutti/internal/trace"
)

// Traces is where spans go. The variables are those of OpenTelemetry:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
type Traces struct {
	Exporter       string       `help:"What takes traces: otlp, or none. Without it, otlp where an endpoint is given." env:"OTEL_TRACES_EXPORTER" name:"traces-exporter" placeholder:"otlp"`
	Endpoint       string       `help:"URL of the collector, without the path." env:"OTEL_EXPORTER_OTLP_ENDPOINT" name:"exporter-otlp-endpoint" placeholder:"http://localhost:4318"`
	TracesEndpoint string       `help:"URL of the collector for traces, with the path." env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" name:"exporter-otlp-traces-endpoint" placeholder:"http://localhost:4318/v1/traces"`
	Protocol       string       `help:"Protocol of the collector, of which http/protobuf is known." env:"OTEL_EXPORTER_OTLP_PROTOCOL" name:"exporter-otlp-protocol" default:"http/protobuf"`
	Headers        string       `help:"Headers that the collector wants, such as its key." env:"OTEL_EXPORTER_OTLP_HEADERS" name:"exporter-otlp-headers" placeholder:"name=value,name=value"`
	Timeout        Milliseconds `help:"How long the collector may take for a request." env:"OTEL_EXPORTER_OTLP_TIMEOUT" name:"exporter-otlp-timeout" default:"10s"`
	Service        string       `help:"Name of this service in traces." env:"OTEL_SERVICE_NAME" name:"service-name" default:"realtime"`
	Resource       string       `help:"More that traces say of this node." env:"OTEL_RESOURCE_ATTRIBUTES" name:"resource-attributes" placeholder:"name=value,name=value"`
	Sampler        string       `help:"Which traces are taken: always_on, always_off, traceidratio, or one of these with parentbased_ before it, where the caller decides for what is part of its own trace." env:"OTEL_TRACES_SAMPLER" name:"traces-sampler" default:"parentbased_always_on"`
	SamplerArg     string       `help:"Share of traces that is taken, from 0 to 1, by the samplers that know it." env:"OTEL_TRACES_SAMPLER_ARG" name:"traces-sampler-arg"`
	Queue          int          `help:"Spans that may wait for the collector; more are dropped." env:"OTEL_BSP_MAX_QUEUE_SIZE" name:"bsp-max-queue-size" default:"2048"`
	Batch          int          `help:"Spans of one request to the collector." env:"OTEL_BSP_MAX_EXPORT_BATCH_SIZE" name:"bsp-max-export-batch-size" default:"512"`
	Delay          Milliseconds `help:"How long a span waits for others." env:"OTEL_BSP_SCHEDULE_DELAY" name:"bsp-schedule-delay" default:"5s"`
	Disabled       bool         `help:"Trace nothing, whatever else is set." env:"OTEL_SDK_DISABLED" name:"sdk-disabled"`
}

// on reports whether there is to be a tracer.
func (c *Traces) on() (bool, error) {
	switch c.Exporter {
	case "none":
		return false, nil
	case "", "otlp":
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER must be otlp or none, got %q", c.Exporter)
	}
	if c.Disabled || c.Exporter == "" && c.Endpoint == "" && c.TracesEndpoint == "" {
		return false, nil
	}
	if c.Protocol != "http/protobuf" && c.Protocol != "" {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, got %q: every collector takes it, on port 4318", c.Protocol)
	}
	return true, nil
}

// settings returns what a tracer is made of. The node's own names come first, so
// that an operator can give it others.
func (c *Traces) settings(node map[string]string) (s trace.Settings, err error) {
	s = trace.Settings{
		Endpoint: c.TracesEndpoint, Timeout: time.Duration(c.Timeout), Sampler: c.Sampler, SamplerArg: c.SamplerArg,
		Queue: c.Queue, Batch: c.Batch, Delay: time.Duration(c.Delay), Resource: maps.Clone(node),
	}
	if s.Endpoint == "" {
		base := c.Endpoint
		if base == "" {
			base = "http://localhost:4318"
		}
		s.Endpoint = strings.TrimSuffix(base, "/") + "/v1/traces"
	}
	if s.Headers, err = pairs(c.Headers); err != nil {
		return s, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: %w", err)
	}
	more, err := pairs(c.Resource)
	if err != nil {
		return s, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	maps.Copy(s.Resource, more)
	if c.Service != "" && (c.Service != "realtime" || s.Resource["service.name"] == "") {
		s.Resource["service.name"] = c.Service
	}
	return s, nil
}

// errPairs does not say what it is about: that may be a key.
var errPairs = errors.New("must be name=value, with commas between, and values percent-encoded")

// pairs reads "name=value,name=value".
func pairs(text string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errPairs
		}
		all[name] = plain
	}
	return all, nil
}

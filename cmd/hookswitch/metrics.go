package main

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
)

// metrics are the figures for Prometheus. No label holds a phone number, an id
// or anything else that a caller can choose.
type metrics struct {
	registry  *prometheus.Registry
	calls     *prometheus.CounterVec
	steps     *prometheus.CounterVec
	takeovers prometheus.Counter
	unsettled prometheus.Counter
	commands  prometheus.Histogram
	counting  prometheus.Histogram
	alone     prometheus.Counter
	dropped   prometheus.Counter
	untold    prometheus.Counter
	attempts  *prometheus.CounterVec
	attempt   prometheus.Histogram
	delivery  prometheus.Histogram
	loaded    prometheus.Gauge
}

// gauges are asked when somebody reads the metrics.
type gauges struct {
	callsActive func() int
	journal     func() journal.Stats
	configValid func() bool
}

const space = "hookswitch"

func newMetrics(b buildInfo) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Name: "calls_total",
			Help: "Calls that ended, by hangup cause."}, []string{"end"}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Name: "steps_total",
			Help: "Nodes of flows that were left, by kind and exit."}, []string{"kind", "exit"}),
		takeovers: prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Name: "takeovers_total",
			Help: "Calls taken over from another connection."}),
		unsettled: prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Name: "journal_unsettled_total",
			Help: "Times a call went on before the beginning of it, or of a dial attempt, was on the disk."}),
		commands: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: space, Name: "commands_seconds",
			Help:    "Time from a command to FreeSWITCH to its reply.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}),
		counting: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: space, Name: "capacity_seconds",
			Help:    "Time in which a call was told of the limits of targets, by the database or without it.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}),
		alone: prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Name: "capacity_fallbacks_total",
			Help: "Times a call was told of limits by this node's share, since the database did not answer."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Name: "capacity_dropped_total",
			Help: "Steps of slots that were not told to the database, since it was away for too long."}),
		untold: prometheus.NewCounter(prometheus.CounterOpts{Namespace: space, Name: "events_untold_total",
			Help: "Times an endpoint was not told of an event because its filter failed."}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: space, Name: "webhook_attempts_total",
			Help: "Attempts to deliver to outgoing webhooks, by what became of the delivery: delivered, pending (it is tried again), given_up or dropped."}, []string{"outcome"}),
		attempt: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: space, Name: "webhook_attempt_seconds",
			Help:    "Time of an attempt to deliver to an outgoing webhook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: space, Name: "webhook_delivery_seconds",
			Help:    "Time from a message in the database to its success at an outgoing webhook, where the first attempt was one.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: space, Name: "config_loaded_timestamp",
			Help: "When the configuration in force was loaded, in seconds since 1970."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: space, Name: "build_info", Help: "Which program this is; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": b.Go}})
	build.Set(1)
	m.registry.MustRegister(m.calls, m.steps, m.takeovers, m.unsettled, m.commands, m.counting, m.alone, m.dropped, m.untold, m.attempts, m.attempt, m.delivery, m.loaded, build,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{Namespace: space}))
	return m
}

// watch adds the figures that are asked for.
func (m *metrics) watch(g gauges) {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: space, Name: name, Help: help}, value)
	}
	m.registry.MustRegister(
		gauge("calls_active", "Calls that this server controls.", func() float64 { return float64(g.callsActive()) }),
		gauge("journal_pending", "Events that are not yet on the disk.", func() float64 { return float64(g.journal().Pending) }),
		gauge("config_valid", "1 while the configuration in force is the folder as it is; 0 after a change that was not valid.", func() float64 { return one(g.configValid()) }),
		gauge("journal_failed", "1 while the journal cannot be written.", func() float64 { return one(g.journal().Failing) }),
		gauge("journal_bytes_waiting", "Bytes of the journal that are not in the database yet.", func() float64 { return float64(g.journal().Waiting) }),
		gauge("journal_full", "1 while the journal has no room for new calls.", func() float64 { return one(g.journal().Full) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: space, Name: "journal_dropped_total",
			Help: "Events lost because the journal could not be written, or the database, for too long."},
			func() float64 { return float64(g.journal().Dropped) }))
}

// one is 1 for yes and 0 for no.
func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// drains adds the figures of the drain.
func (m *metrics) drains(d *drain.Drain) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: space, Name: "drain_lag_seconds",
		Help: "Age of the oldest event of the journal that is not in the database."}, func() float64 { return d.Lag().Seconds() }))
}

// delivers adds the figures of what is sent to outgoing webhooks.
func (m *metrics) delivers(d *delivery.Deliverer) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: space, Name: "webhook_pending",
		Help: "Deliveries to outgoing webhooks that wait in the database, of all servers, counted once a minute."}, func() float64 { return float64(d.Pending()) }))
}

// attempted notes an attempt to deliver, and the age of the delivery.
func (m *metrics) attempted(a *store.Attempt, age time.Duration) {
	m.attempts.WithLabelValues(string(a.State)).Inc()
	m.attempt.Observe(a.Took.Seconds())
	if a.State == store.Delivered && a.Try == 1 {
		m.delivery.Observe(age.Seconds())
	}
}

// observe counts an event of a call.
func (m *metrics) observe(e call.Event) {
	switch e.Type {
	case call.Step:
		m.steps.WithLabelValues(e.Kind, e.Exit).Inc()
	case call.Resumed:
		m.takeovers.Inc()
	case call.Ended:
		end := string(e.Cause)
		if !e.Cause.Known() && e.Cause != call.UnknownCause {
			end = "OTHER"
		}
		m.calls.WithLabelValues(end).Inc()
	}
}

// command notes how long a command to FreeSWITCH took.
func (m *metrics) command(took time.Duration) { m.commands.Observe(took.Seconds()) }

// counted notes how long a question about limits took, and whether this node alone had
// to answer it.
func (m *metrics) counted(took time.Duration, alone bool) {
	m.counting.Observe(took.Seconds())
	if alone {
		m.alone.Inc()
	}
}

// configLoaded notes when the configuration in force was loaded.
func (m *metrics) configLoaded(at time.Time) { m.loaded.Set(float64(at.UnixMilli()) / 1000) }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

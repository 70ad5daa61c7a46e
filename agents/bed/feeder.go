package bed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"presfed/agents/calendar"
	"presfed/agents/client"
	"presfed/agents/flow"
)

// feeder is a calendar that a bed feeds from. It is a [flow.Feeder].
type feeder struct {
	file    string
	refresh func(ctx context.Context) error
}

// Meeting writes the calendar anew.
func (f feeder) Meeting(ctx context.Context, on bool) error {
	if err := writeCalendar(f.file, on); err != nil {
		return err
	}
	return f.refresh(ctx)
}

// writeCalendar has a meeting be on now, for an hour, or none. The file is there
// whole, or not at all.
func writeCalendar(file string, on bool) error {
	text := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//presfed//bed//EN\r\n"
	if on {
		const stamp = "20060102T150405Z"
		now := time.Now().UTC()
		text += fmt.Sprintf("BEGIN:VEVENT\r\nUID:meeting@%s\r\nDTSTAMP:%s\r\nDTSTART:%s\r\nDTEND:%s\r\nSUMMARY:Meeting\r\nEND:VEVENT\r\n",
			filepath.Base(file), now.Format(stamp), now.Add(-time.Minute).Format(stamp), now.Add(time.Hour).Format(stamp))
	}
	fresh := file + ".new"
	if err := os.WriteFile(fresh, []byte(text+"END:VCALENDAR\r\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, file)
}

// calendarIn is a device's calendar in the folder of a bed. One that is not there
// yet is empty.
func calendarIn(dir string, d Device) (string, error) {
	file := filepath.Join(dir, d.Calendar)
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = writeCalendar(file, false)
	}
	return file, err
}

// meetingIs is how a bed's calendars are told: the draft has a meeting be busy,
// and nothing more.
const meetingIs = "busy"

// startFeeder starts a device that says what a calendar does.
func (b *Bed) startFeeder(run context.Context, at Device) error {
	file, err := calendarIn(b.dir, at)
	if err != nil {
		return err
	}
	cfg, err := b.deviceConfig(at)
	if err != nil {
		return err
	}
	cfg.Answer, cfg.Lengthen = client.AnswerDecline, true
	device, err := client.New(cfg)
	if err != nil {
		return err
	}
	source, err := calendar.Open(file, calendar.Access{})
	if err != nil {
		return err
	}
	f := calendar.New(calendar.Config{
		Users: []calendar.User{{Client: device, Sources: []calendar.Source{source}}},
		Style: calendar.Style{Activities: []string{meetingIs}}, Clock: cfg.Clock, Log: cfg.Log,
	})
	b.clients[at.Name], b.feeders[at.Name] = device, feeder{file, f.Refresh}
	b.runDevices.Go(func() error { return device.Run(run) })
	b.runFeeders.Go(func() error { return f.Run(b.feeding) })
	return nil
}

// Feeder is the one of that name.
func (b *Bed) Feeder(name string) (flow.Feeder, error) {
	f, ok := b.feeders[name]
	if !ok {
		return nil, fmt.Errorf("no calendar is called %s", name)
	}
	return f, nil
}

// Feeder is the one of that name.
func (p *Processes) Feeder(name string) (flow.Feeder, error) {
	r := p.roles[name]
	for _, d := range p.options.Topology.Devices {
		if r == nil || d.Name != name || d.Calendar == "" {
			continue
		}
		return feeder{filepath.Join(p.dir, d.Calendar), func(ctx context.Context) error {
			_, err := r.control.Do(ctx, "refresh")
			return err
		}}, nil
	}
	return nil, fmt.Errorf("no calendar is called %s", name)
}

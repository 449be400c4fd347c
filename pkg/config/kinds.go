package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

type kind int

const (
	textKind kind = iota
	numberKind
	truthKind
	durationKind
	listKind
)

var kindNames = map[kind]string{
	textKind: "text", numberKind: "number", truthKind: "true or false", durationKind: "duration", listKind: "list of text",
}

// value is a setting's value before it is checked: the text for single values, the list for lists.
type value struct {
	text string
	list []string
}

// durationField gives time.Duration a name of its own, so that number and duration can't be confused below.
type durationField time.Duration

func setting(path, flag, def, doc string, k kind, set func(*Settings, value) error) Setting {
	return Setting{
		Path: path, Type: kindNames[k], Default: def, Variable: variableOf(path), Flag: flag, Doc: doc, kind: k, set: set,
	}
}

func text(path, flag, def, doc string, field func(*Settings) *string, check func(string) error) Setting {
	return setting(path, flag, def, doc, textKind, func(s *Settings, v value) error {
		*field(s) = v.text
		return check(v.text)
	})
}

func truth(path, flag, def, doc string, field func(*Settings) *bool) Setting {
	return setting(path, flag, def, doc, truthKind, func(s *Settings, v value) error {
		b, err := strconv.ParseBool(v.text)
		if err != nil {
			return fmt.Errorf("has to be true or false")
		}
		*field(s) = b
		return nil
	})
}

func number(path, flag, def, doc string, low, high int, field func(*Settings) *int) Setting {
	return setting(path, flag, def, doc, numberKind, func(s *Settings, v value) error {
		n, err := strconv.Atoi(v.text)
		if err != nil || n < low || n > high {
			return fmt.Errorf("has to be a whole number from %d to %d", low, high)
		}
		*field(s) = n
		return nil
	})
}

func duration(path, flag, def, doc string, field func(*Settings) *durationField) Setting {
	return setting(path, flag, def, doc, durationKind, func(s *Settings, v value) error {
		d, err := time.ParseDuration(v.text)
		if err != nil || d <= 0 {
			return fmt.Errorf("has to be a positive duration such as \"20s\" or \"2m\"")
		}
		*field(s) = durationField(d)
		return nil
	})
}

// interval is a duration that may be none.
func interval(path, flag, def, doc string, field func(*Settings) *durationField) Setting {
	return setting(path, flag, def, doc, durationKind, func(s *Settings, v value) error {
		d, err := time.ParseDuration(v.text)
		if err != nil || d < 0 {
			return fmt.Errorf("has to be a duration such as \"1h\", or \"0s\" for never")
		}
		*field(s) = durationField(d)
		return nil
	})
}

// leastLease is what a lease needs to outlast the words that it travels by: a secondary reports each second, a server tells the runners each
// second how long they may work, and counts that from what a runner said of itself, every two seconds.
const leastLease = 5 * time.Second

// lease is an interval that runners can work within, or none.
func lease(path, flag, def, doc string, field func(*Settings) *durationField) Setting {
	s := interval(path, flag, def, doc, field)
	plain := s.set
	s.set = func(to *Settings, v value) error {
		if err := plain(to, v); err != nil {
			return err
		}
		if d := time.Duration(*field(to)); d > 0 && d < leastLease {
			return fmt.Errorf("has to be at least %s, or 0s to ask nobody: a shorter one ends between two words to the runners, which then stop their work again and again", leastLease)
		}
		return nil
	}
	return s
}

func list(path, flag, def, doc string, field func(*Settings) *[]string, check func(string) error) Setting {
	return setting(path, flag, def, doc, listKind, func(s *Settings, v value) error {
		if len(v.list) == 0 && def != "" {
			return fmt.Errorf("has to name at least one")
		}
		for _, e := range v.list {
			if err := check(e); err != nil {
				return err
			}
		}
		*field(s) = append([]string(nil), v.list...)
		return nil
	})
}

func durations(path, flag, def, doc string, field func(*Settings) *[]time.Duration) Setting {
	return setting(path, flag, def, doc, listKind, func(s *Settings, v value) error {
		all := make([]time.Duration, len(v.list))
		for i, text := range v.list {
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 {
				return fmt.Errorf("has to be a list of positive durations such as \"24h\", and %q is none", text)
			}
			all[i] = d
		}
		*field(s) = all
		return nil
	})
}

// valueOf reads the text of a variable, flag or default: a list's members are separated by commas.
func (s Setting) valueOf(text string) value {
	if s.kind != listKind {
		return value{text: text}
	}
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return value{list: list}
}

package runner

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestClean(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":              {"a\tb", "a\tb"},
		"colour":             {"\x1b[31;1mred\x1b[0m", "red"},
		"title":              {"\x1b]0;evil\x07shown", "shown"},
		"title, ended by ST": {"\x1b]0;evil\x1b\\shown", "shown"},
		"hyperlink":          {"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"},
		"device control":     {"\x1bPq#1\x1b\\shown", "shown"},
		"character set":      {"\x1b(Bshown", "shown"},
		"keypad":             {"\x1b=shown", "shown"},
		"C1 control":         {"\u009b31mred", "red"},
		"C1 string":          {"\u009d0;evil\u009cshown", "shown"},
		"control characters": {"a\x00b\x08c\x7f\u0085d", "abcd"},
		"direction":          {"a\u202eb\u2066c", "abc"},
		"invalid":            {"a\xffb\xc3(", "a\ufffdb\ufffd("},
		"other scripts":      {"héé 漢字 🙂", "héé 漢字 🙂"},
		"string without end": {"a\x1b]0;swallowed", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, (&cleaner{}).line(c.in))
		})
	}
}

func TestCleanGoesOnWhereALineWasCut(t *testing.T) {
	c := &cleaner{}
	require.Equal(t, "a", c.line("a\x1b[3"))
	require.Equal(t, "red", c.line("1mred\xc3"))
	require.Equal(t, "é", c.line("\xa9"))
	require.Equal(t, "", c.line("\x1b]0;never ends"))
	require.Equal(t, "shown", c.line("shown"))
}

func TestMaskText(t *testing.T) {
	for name, c := range map[string]struct {
		secrets  []string
		in, want string
	}{
		"once":               {[]string{"hunter2"}, "pw=hunter2.", "pw=(sensitive)."},
		"twice":              {[]string{"hunter2"}, "hunter2hunter2", "(sensitive)"},
		"too short":          {[]string{"abc"}, "abc", "abc"},
		"four":               {[]string{"abcd"}, "xabcdx", "x(sensitive)x"},
		"overlapping":        {[]string{"abcdef", "defghi"}, "-abcdefghi-", "-(sensitive)-"},
		"one in another":     {[]string{"abcd", "xabcdx"}, "-xabcdx-", "-(sensitive)-"},
		"of itself":          {[]string{"ababab"}, "-abababab-", "-(sensitive)-"},
		"broken off":         {[]string{"aabaac"}, "aabaabaac", "aab(sensitive)"},
		"hidden by colour":   {[]string{"hunter2"}, "hun\x1b[0mter2", "(sensitive)"},
		"as JSON":            {[]string{`say "it"`}, `{"x":"say \"it\""}`, `{"x":"(sensitive)"}`},
		"as JSON for HTML":   {[]string{`<<&>>`}, `\u003c\u003c\u0026\u003e\u003e`, `(sensitive)`},
		"several lines":      {[]string{"first\nsecond"}, "x first\nsecond y", "x (sensitive)\n(sensitive) y"},
		"one of its lines":   {[]string{"first\nsecond"}, "  second", "  (sensitive)"},
		"over lines":         {[]string{"hunter2"}, "hun\n\nter2", "(sensitive)\n\n(sensitive)"},
		"in JSON with break": {[]string{"a\nb c"}, `a\nb c`, "(sensitive)"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, newMasker(c.secrets).text(c.in))
		})
	}
}

// The search is written for streams; over random text of two letters it has to find what a plain one finds.
func TestScanFindsWhatAPlainSearchFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		return strings.Map(func(rune) rune { return rune('a' + random.IntN(2)) }, strings.Repeat("x", n))
	}
	for range 500 {
		m := newMasker([]string{word(4 + random.IntN(3)), word(4 + random.IntN(6))})
		text := word(60)
		var want []span
		for _, p := range m.patterns {
			for i := range len(text) - len(p.text) + 1 {
				if text[i:i+len(p.text)] == p.text {
					want = append(want, span{i, i + len(p.text)})
				}
			}
		}
		scan, rest := m.scan(), text
		var got []span
		for rest != "" {
			n := min(1+random.IntN(5), len(rest))
			found, open := scan.read(rest[:n])
			got, rest = append(got, found...), rest[n:]
			read := text[:len(text)-len(rest)]
			longest := 0
			for _, p := range m.patterns {
				for k := 1; k < len(p.text); k++ {
					if strings.HasSuffix(read, p.text[:k]) {
						longest = max(longest, k)
					}
				}
			}
			require.Equal(t, longest, open, read)
		}
		require.ElementsMatch(t, want, got)
	}
}

func TestMaskFault(t *testing.T) {
	e := fault.New(fault.GiveUp, "code", "failed with hunter2").With(fault.Diagnostic{
		Severity: "error", Summary: "hunter2", Detail: "x hunter2", File: "hunter2.tf", Snippet: "a = hunter2", Line: 7,
	})
	masked := newMasker([]string{"hunter2"}).fault(e)
	require.Equal(t, fault.New(fault.GiveUp, "code", "failed with (sensitive)").With(fault.Diagnostic{
		Severity: "error", Summary: "(sensitive)", Detail: "x (sensitive)", File: "(sensitive).tf", Snippet: "a = (sensitive)", Line: 7,
	}), masked)
	require.Len(t, newMasker(nil).fault(fault.New(fault.Retry, "c", "%s", strings.Repeat("x", 2*lineBytes))).Message,
		lineBytes+len(" (cut: 16384 more bytes)"))
}

func FuzzCleanAndMask(f *testing.F) {
	f.Add("a\x1b[31mhunter2\xff\r\nx", 3)
	f.Add("\x1b]hunter2", 1)
	f.Fuzz(func(t *testing.T, text string, at int) {
		shown := newMasker([]string{"hunter2"}).text(text)
		require.NotContains(t, shown, "hunter2")
		require.NotContains(t, strings.ReplaceAll(shown, "\n", ""), "hunter2")
		for _, r := range shown {
			require.True(t, r == '\n' || !hidden(r), "%q", r)
		}
		// Where a line is cut must make no difference to what is plain text.
		if at = min(max(at, 0), len(text)); harmless(text) {
			c := &cleaner{}
			require.Equal(t, text, c.line(text[:at])+c.line(text[at:]))
		}
	})
}

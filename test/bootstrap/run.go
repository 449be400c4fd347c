package bootstrap

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// RunUntil runs a command, whose lines go to out, until it prints one of the texts, and kills it there (SIGKILL); without any it ends by
// itself. It tells at which text it was killed, "" where it was not; the error is how the command ended.
func RunUntil(cmd *exec.Cmd, out io.Writer, at ...string) (killed string, err error) {
	err = runWith(cmd, out, func(line string) {
		i := slices.IndexFunc(at, func(text string) bool { return strings.Contains(line, text) })
		if i >= 0 && killed == "" && cmd.Process.Kill() == nil {
			killed = at[i]
		}
	})
	return killed, err
}

// runWith runs a command to its end, and does something with each line that it prints.
func runWith(cmd *exec.Cmd, out io.Writer, do func(line string)) error {
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = fmt.Fprintln(out, lines.Text())
		do(lines.Text())
	}
	_, _ = io.Copy(io.Discard, pipe) // what comes behind a line that is too long
	return cmd.Wait()
}

// once does something at the first line that has the text.
func once(at string, do func()) func(line string) {
	return func(line string) {
		if at != "" && strings.Contains(line, at) {
			at = ""
			do()
		}
	}
}

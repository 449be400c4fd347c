package main

import (
	"fmt"
	"net/url"
	"strings"
)

// banner tells a person where everything is and what to do next. It shows no secret.
func (s *instance) banner(st style, next bool) string {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %s %s\n", st.dim(fmt.Sprintf("%-12s", name)), text) }
	fmt.Fprintf(&b, "\n%s %s is ready.\n\n", st.bold("Vivarium"), version)
	line("Role", fmt.Sprintf("%s, cluster %s", s.role(), s.settings.PrimaryClusterName))
	line("API", s.apiURL()+"/api/v1")
	if s.bus != nil {
		line("Bus", withoutSecrets(s.busURL))
	}
	line("Store", s.store.Info().Address)
	line("Data", s.dir)
	line("Catalogue", withoutSecrets(s.settings.Catalogue))
	if next {
		where := s.dataDirFlag()
		fmt.Fprintf(&b, "\nNext, in another terminal:\n  %s template list%s\n", s.program, where)
		if s.settings.Primary {
			fmt.Fprintf(&b, "  %s env create NAME --template TEMPLATE --wait%s\n", s.program, where)
		}
		b.WriteString("\nCtrl-C lets what runs finish, and stops.\n")
	}
	b.WriteString("\n")
	return b.String()
}

// dataDirFlag is what commands need to find this server, with a space in front; nothing for the usual folder.
func (s *instance) dataDirFlag() string {
	if s.settings.IsDefault("data_dir") {
		return ""
	}
	return " --data-dir " + s.settings.DataDir
}

// withoutSecrets is a URL without user, password and query; text that is none stays as it is.
func withoutSecrets(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "(not shown)"
	case u.Host == "":
		return text
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

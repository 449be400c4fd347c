package main

import (
	"net/http"
	"os"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/client"
)

// What is written into the work folder for people and their programs: the authority of the service, of Consul and of the broker, and that of Vault's listener.
const (
	rootsFile      = "ca.pem"
	vaultRootsFile = "vault-ca.pem"
)

// noteAPI keeps where the service is, and the authorities, none of which is a secret.
func (x *raising) noteAPI(out found) error {
	for name, text := range map[string]string{rootsFile: out.APICA, vaultRootsFile: out.VaultCA} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(x.folder.Path(name), []byte(text), 0o644); err != nil { //nolint:gosec // everybody may know it
			return err
		}
	}
	return x.folder.Note(func(p *bootstrap.Progress) { p.API, p.APICA = out.API, out.APICA })
}

// knows tells whether that is kept already.
func (x *raising) knows(out found) bool {
	p := x.folder.Progress()
	return p.API == out.API && p.APICA == out.APICA
}

// trusting is a client of HTTP for the service.
func (x *raising) trusting() *http.Client { return trustingBy(x.folder.Progress().APICA, x.way()) }

func (x *raising) client(address string) *client.API { return client.NewAPI(address, x.trusting()) }

// roots are the files with authorities, "" where there are no certificates.
func (x *raising) roots() string {
	var there []string
	for _, name := range []string{rootsFile, vaultRootsFile} {
		if _, err := os.Stat(x.folder.Path(name)); err == nil {
			there = append(there, x.folder.Path(name))
		}
	}
	return strings.Join(there, ", Vault's with ")
}

package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// requestNote says in the store what the certificate there was issued for.
	requestNote = "vivarium_request"
	// mountNote says in the store which PKI engine issued it, since only that can revoke it.
	mountNote = "vivarium_pki"
)

type pkiExecutor struct{ shared }

var _ executor.Targeter = (*pkiExecutor)(nil)

// Apply keeps the certificate of the store until it is to be renewed, was revoked, or other things are asked of it.
func (e *pkiExecutor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := decodePKI(r)
	if err != nil {
		return nil, err
	}
	st, err := s.open(ctx, b.place)
	if err != nil {
		return nil, err
	}
	leaf, err := parseLeaf(st.values)
	good := err == nil && st.record.custom[requestNote] == b.fingerprint() && s.o.Now().Before(b.renewAt(leaf.NotBefore, leaf.NotAfter))
	if good {
		if good, err = s.unrevoked(ctx, b, st.values["serial"]); err != nil {
			return nil, err
		}
	}
	if !good {
		if leaf, err = s.issue(ctx, b, &st); err != nil {
			return nil, err
		}
	}
	// A store that was carried over is written at its new place.
	if err := s.save(ctx, &st, st.values, b.notes()); err != nil {
		return nil, err
	}
	if err := s.forget(ctx, b.place); err != nil {
		return nil, err
	}
	return pkiOutputs(r, b, st, leaf), nil
}

func pkiOutputs(r executor.Request, b pkiBlock, st stored, leaf *x509.Certificate) executor.Outputs {
	chain := []string{}
	_ = json.Unmarshal([]byte(st.values["ca_chain"]), &chain)
	return putStore(r, executor.Outputs{
		"certificate": output(r, st.values["certificate"], false),
		"ca_chain":    output(r, chain, false),
		"serial":      output(r, st.values["serial"], false),
		"expires_at":  output(r, leaf.NotAfter.UTC().Format(time.RFC3339), false),
		"renew_at":    output(r, b.renewAt(leaf.NotBefore, leaf.NotAfter).UTC().Format(time.RFC3339), false),
		"private_key": output(r, st.values["private_key"], true),
	}, b.place)
}

// parseLeaf reads the certificate of a store; one that does not fit its key is an error.
func parseLeaf(values map[string]string) (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair([]byte(values["certificate"]), []byte(values["private_key"]))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(pair.Certificate[0])
}

// issue gets a certificate and keeps it with its key, which Vault gives out only this once.
func (s session) issue(ctx context.Context, b pkiBlock, st *stored) (*x509.Certificate, error) {
	path := b.Mount + "/issue/" + b.Role
	answer, err := s.put(ctx, "issuing a certificate", path, b.request())
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, fault.New(fault.GiveUp, fault.NotFound, "%s issued nothing at %q: enable a PKI engine there and create the role", s.target(), path)
	}
	values := issued(answer.Data)
	leaf, err := parseLeaf(values)
	if err != nil {
		return nil, fault.Wrap(errors.New("the answer can't be read"), fault.Retry, fault.ExecutorFailed,
			"%s issued at %q what is no certificate with its key: the role has to give out the key", s.target(), path)
	}
	// By the clock of the process, which Vault's own agrees with.
	if b.renew >= 0 && !b.renewAt(leaf.NotBefore, leaf.NotAfter).After(time.Now()) {
		return nil, invalid(s.r, "renew_before (%s) is as long as the life of the certificates that the role %q gives out (until %s): make it shorter in the block",
			b.RenewBefore, b.Role, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if err := s.save(ctx, st, values, b.notes()); err != nil {
		return nil, err
	}
	s.say(fmt.Sprintf("issued the certificate %s until %s", values["serial"], leaf.NotAfter.UTC().Format(time.RFC3339)))
	return leaf, nil
}

// issued is what of the answer is kept.
func issued(data map[string]any) map[string]string {
	values := map[string]string{}
	for to, from := range map[string]string{"certificate": "certificate", "private_key": "private_key", "serial": "serial_number"} {
		values[to], _ = data[from].(string)
	}
	var chain []any
	if chain, _ = data["ca_chain"].([]any); len(chain) == 0 {
		chain = []any{data["issuing_ca"]}
	}
	text, _ := json.Marshal(chain)
	values["ca_chain"] = string(text)
	return values
}

// unrevoked tells whether the certificate is good still. Of one that the role does not let Vault keep, nobody can tell.
func (s session) unrevoked(ctx context.Context, b pkiBlock, serial string) (bool, error) {
	found, err := s.get(ctx, "looking up a certificate", b.Mount+"/cert/"+serial)
	if err != nil || found == nil {
		return true, err
	}
	return number(found.Data["revocation_time"]) == 0, nil
}

// Destroy revokes the certificate unless it has ended, and removes it and its key from the store.
func (e *pkiExecutor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	b, err := decodePKI(r)
	if err != nil {
		return err
	}
	at := storePlaces(r, b.place)
	for _, p := range at {
		if err := s.revoke(ctx, b, p); err != nil {
			return err
		}
	}
	return s.release(ctx, at)
}

// revoke revokes the certificate of a store of ours.
func (s session) revoke(ctx context.Context, b pkiBlock, p place) error {
	rec, err := s.look(ctx, p)
	if err != nil || !rec.exists || s.ours(p, rec) != nil {
		return err
	}
	values, err := s.values(ctx, p)
	if err != nil {
		return err
	}
	texts := map[string]string{}
	for k, v := range values {
		texts[k], _ = v.(string)
	}
	leaf, err := parseLeaf(texts)
	if err != nil || !time.Now().Before(leaf.NotAfter) {
		return nil
	}
	_, err = s.put(ctx, "revoking a certificate", orElse(rec.custom[mountNote], b.Mount)+"/revoke", map[string]any{"certificate": texts["certificate"]})
	if status(err) == http.StatusNotFound {
		return nil // the engine is gone, and its authority with it
	}
	return err
}

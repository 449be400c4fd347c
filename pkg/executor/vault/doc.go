// Package vault keeps secrets, certificates, policies and AppRoles in HashiCorp Vault: the kinds vault_secret, vault_pki,
// vault_policy and vault_approle.
//
// What always holds: a secret value is in no log line, no error's message and no output that is not marked sensitive;
// nothing is changed or removed that does not carry the mark of its environment and step (a secret's custom metadata
// "vivarium", a policy's first line), and the mark is set before anything else is; after any interruption the next
// apply ends right; every error says which Vault, which path and what to do.
//
// All executors of one Vault share a Client, which logs in when it is first used, renews its token, and logs in again when the
// token is gone.
//
// Imports: the executor port, template (for the schema), fault, and HashiCorp's client of Vault.
package vault

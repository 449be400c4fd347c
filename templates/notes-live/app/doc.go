// Command notes is the service that the template notes-live deploys: one static program in three roles, so that one image
// is enough.
//
//	notes database    keeps the notes in a file, and gives them only to who knows the password
//	notes api         takes and lists notes over HTTP below /api; keeps them in the database
//	notes web         a page with all notes, from the API
//
// Every role listens on port 8080 and answers GET /health; all else comes by environment variables:
//
//	DATA_FILE                 where the database keeps its notes
//	DATABASE_PASSWORD_FILE    file with the database's password, which it asks for and the API shows
//	DATABASE_URL, API_URL     where the API finds the database, and the page the API
//	CONSUL_HTTP_ADDR          Consul, and
//	SETTINGS_PREFIX           below what prefix of its keys the settings "title" and "longest" are, read at every request
//
// Imports: the standard library only.
package main

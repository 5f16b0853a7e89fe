#!/usr/bin/env bash
# Writes .env, the secrets and choices that docker-compose.yml reads: mode 600, never in git. An existing .env is kept,
# since the data of the volumes is protected by its secrets. With OPENAI_API_KEY set (and OPENAI_BASE_URL, OPENAI_MODEL
# if you like) the suite asks that API; without, the offline language model answers.
set -euo pipefail
cd "$(dirname "$0")/../.."

FILE=${ENV_FILE:-.env}

secret() { python3 -c 'import secrets; print(secrets.token_urlsafe(32))'; }

if [[ -e $FILE ]]; then
    echo "$FILE is there already; it is kept (remove it together with the volumes: docker compose down --volumes)"
    exit 0
fi

umask 077
{
    echo "# Written by deploy/containers/make-env.sh. Keep it: the volumes were made with these secrets."
    for name in MONGO_ROOT_PASSWORD MONGO_REPLICA_KEY VALKEY_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY; do
        echo "$name=$(secret | tr -d '_-')"
    done
    for service in AUTH USER QA EXPORT; do
        echo "${service}_MONGO_PASSWORD=$(secret)"
        echo "${service}_CLIENT_SECRET=$(secret)"
    done
    echo "# The client of operators, for /internal/dead-letters"
    echo "OPERATOR_CLIENT_SECRET=$(secret)"
    echo "# The key that encrypts the signing keys at rest: 32 bytes, base64"
    echo "KEY_ENCRYPTION_KEY=$(python3 -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())')"
    echo "# The key that signs records of erasure: 32 bytes, base64"
    echo "RECORD_SIGNING_KEY=$(python3 -c 'import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())')"
    echo "# mail: a sink that shows every letter on http://localhost:8025; leave it out and set SMTP_URL for real mail"
    if [[ -n ${OPENAI_API_KEY:-} ]]; then
        printf '%s\n' "COMPOSE_PROFILES=mail" "OPENAI_API_KEY=$OPENAI_API_KEY" \
            "OPENAI_BASE_URL=${OPENAI_BASE_URL:-}" "OPENAI_MODEL=${OPENAI_MODEL:-}"
    else
        printf '%s\n' "COMPOSE_PROFILES=offline-llm,mail" "OPENAI_API_KEY=offline" \
            "OPENAI_BASE_URL=http://offline-llm:8000/v1" "OPENAI_MODEL="
    fi
    cat <<'SETTINGS'
SMTP_URL=smtp://mail:1025
MAIL_FROM=no-reply@intervai.example
APP_URL=http://localhost:8080
GATEWAY_PORT=8080
S3_PORT=8333
S3_PUBLIC_ENDPOINT=http://localhost:8333
RATE_LIMIT_SCALE=1
LOG_LEVEL=INFO
SETTINGS
} >"$FILE.new"
mv "$FILE.new" "$FILE"
echo "$FILE written"

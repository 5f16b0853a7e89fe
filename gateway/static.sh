#!/bin/sh
# Prints Traefik's static configuration: traefik.yml with what the settings in the environment say (see README.md).
# Traefik reads no settings in that file, and takes either a file or variables. Fails when a setting is not usable.
set -eu
folder=$(dirname "$0")

# setting NAME DEFAULT: its value. Only characters that mean nothing to sed and, in quotes, nothing to YAML.
setting() {
    eval "value=\${$1:-}"
    value=${value:-$2}
    case $value in
    *[!A-Za-z0-9.:/@,_+=%?-]*) echo "$1 holds what does not belong there: $value" >&2 && exit 1 ;;
    esac
    printf '%s' "$value"
}

# required NAME: the same of one that must be set.
required() {
    value=$(setting "$1" "")
    if [ -z "$value" ]; then
        echo "$1 must be set where GATEWAY_TLS is acme" >&2
        exit 1
    fi
    printf '%s' "$value"
}

quoted_list() {
    [ -z "$1" ] || printf '"%s"' "$1" | sed -e 's/,/", "/g'
}

tls=$(setting GATEWAY_TLS off)
proxies=$(setting TRUSTED_PROXIES "")
traces=$(setting OTEL_EXPORTER_OTLP_TRACES_ENDPOINT "")
rate=$(setting OTEL_TRACES_SAMPLER_ARG 0.1)
certificate="{}"
case $tls in
off | self-made) ;;
acme)
    domains=$(required ACME_DOMAINS)
    email=$(required ACME_EMAIL)
    server=$(setting ACME_CA_SERVER https://acme-v02.api.letsencrypt.org/directory)
    storage=$(setting ACME_STORAGE /acme/acme.json)
    authorities=$(setting ACME_CA_CERTIFICATES "")
    others=$(case $domains in *,*) printf '%s' "${domains#*,}" ;; esac)
    certificate="{certResolver: acme, domains: [{main: \"${domains%%,*}\", sans: [$(quoted_list "$others")]}]}"
    case $(setting ACME_CHALLENGE http) in
    http) challenge="httpChallenge: {entryPoint: web}" ;;
    tls) challenge="tlsChallenge: {}" ;;
    *) echo "ACME_CHALLENGE must be http or tls" >&2 && exit 1 ;;
    esac
    ;;
*) echo "GATEWAY_TLS must be off, self-made or acme" >&2 && exit 1 ;;
esac

sed -e "s|trustedIPs: \[\]|trustedIPs: [$(quoted_list "$proxies")]|" -e "s|tls: {}|tls: $certificate|" "$folder/traefik.yml"

if [ "$tls" = acme ]; then
    cat <<END

certificatesResolvers:
  acme:
    acme:
      email: "$email"
      caServer: "$server"
      caCertificates: [$(quoted_list "$authorities")]
      storage: "$storage"
      keyType: EC256
      $challenge
END
fi

if [ -n "$traces" ]; then
    cat <<END

tracing:
  serviceName: gateway
  sampleRate: $rate
  otlp:
    http:
      endpoint: "$traces"
END
fi

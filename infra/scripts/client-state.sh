#!/usr/bin/env bash
# Creates a new clientState, the secret that every notification must carry, and stores it in the vault unseen.
#
#   infra/scripts/client-state.sh <key vault name> <function app name> <resource group>
#
# The current secret moves to client-state-previous and is accepted until the next rotation, so you can rotate at any
# time, for example once a year. Requires the role Key Vault Secrets Officer on the vault.
set -euo pipefail

if [[ $# -ne 3 ]]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
vault=$1 app=$2 group=$3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077

# Pass secrets in files, because every user of the machine can see command lines.
if az keyvault secret show --vault-name "$vault" --name client-state --query value --output tsv \
    >"$scratch/previous" 2>/dev/null; then
    truncate --size=-1 "$scratch/previous"
    az keyvault secret set --vault-name "$vault" --name client-state-previous --file "$scratch/previous" \
        --encoding utf-8 --output none
    az functionapp config appsettings set --name "$app" --resource-group "$group" --output none --settings \
        "PHOTORELAY_CLIENT_STATE_PREVIOUS=@Microsoft.KeyVault(SecretUri=https://$vault.vault.azure.net/secrets/client-state-previous)"
fi
openssl rand -hex 32 | tr -d '\n' >"$scratch/current"
az keyvault secret set --vault-name "$vault" --name client-state --file "$scratch/current" --encoding utf-8 \
    --output none
# The app resolves Key Vault references when it restarts, and otherwise within a day.
az functionapp restart --name "$app" --resource-group "$group" --output none
echo "a new clientState is in $vault; the subscription is updated within the hour, or immediately with: photorelay subscribe"

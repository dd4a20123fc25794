// The function app: Flex Consumption, custom handler, one user-assigned identity for everything.

param name string
param location string
param tags object
param identityId string
param identityClientId string
param hostStorageName string
param packageContainerUri string
param blobServiceUri string
param queueServiceUri string
param vaultUri string
param insightsConnectionString string
param alwaysReadyInstances int
param targets string
param renditions string
param scopeGroups string
param privateNetwork bool
param functionsSubnetId string

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  // checkov:skip=CKV_AZURE_225:the sweep catches up after the outage of a zone; the webhook need not survive it
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  // checkov:skip=CKV_AZURE_222:Microsoft Graph calls the webhook from the internet
  // checkov:skip=CKV_AZURE_17:Microsoft Graph presents no client certificate; clientState authenticates its notifications
  // checkov:skip=CKV_AZURE_212:Flex Consumption scales automatically; alwaysReadyInstances is a parameter
  // checkov:skip=CKV_AZURE_213:Flex Consumption has no health check; the host pings the handler itself
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Microsoft Graph calls the webhook from the internet.
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: privateNetwork ? functionsSubnetId : null
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      ftpsState: 'Disabled'
    }
    functionAppConfig: {
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        // The smallest size and scale limit: a photo takes milliseconds, and Graph, not this app, is the bottleneck.
        instanceMemoryMB: 512
        maximumInstanceCount: 40
        alwaysReady: alwaysReadyInstances == 0 ? [] : [
          {
            name: 'http'
            instanceCount: alwaysReadyInstances
          }
        ]
        triggers: {
          http: {
            perInstanceConcurrency: 64
          }
        }
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  // checkov:skip=CKV_AZURE_13:Microsoft Graph cannot sign in; clientState authenticates its notifications
  // checkov:skip=CKV_AZURE_63:applies to web apps, not to the settings of a function app
  // checkov:skip=CKV_AZURE_65:applies to web apps, not to the settings of a function app
  // checkov:skip=CKV_AZURE_66:applies to web apps, not to the settings of a function app
  // checkov:skip=CKV_AZURE_80:applies to web apps, not to the settings of a function app
  // checkov:skip=CKV_AZURE_88:applies to web apps, not to the settings of a function app
  // checkov:skip=CKV_AZURE_222:applies to web apps, not to the settings of a function app
  name: 'appsettings'
  parent: app
  properties: {
    AzureWebJobsStorage__accountName: hostStorageName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    PhotoStorage__blobServiceUri: blobServiceUri
    PhotoStorage__queueServiceUri: queueServiceUri
    PhotoStorage__credential: 'managedidentity'
    PhotoStorage__clientId: identityClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    PHOTORELAY_TENANT_ID: tenant().tenantId
    PHOTORELAY_CLIENT_ID: identityClientId
    PHOTORELAY_CLIENT_STATE: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/client-state)'
    PHOTORELAY_PUBLIC_URL: 'https://${app.properties.defaultHostName}'
    PHOTORELAY_TARGETS: targets
    PHOTORELAY_RENDITIONS: renditions
    PHOTORELAY_SCOPE_GROUPS: scopeGroups
    // The alert queries read the fields of the log lines.
    PHOTORELAY_LOG_FORMAT: 'json'
  }
}

// Disables publishing with user name and password; deployments use Entra identities.
resource noBasicAuthentication 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for publisher in [
  'ftp'
  'scm'
]: {
  name: publisher
  parent: app
  properties: {
    allow: false
  }
}]

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'

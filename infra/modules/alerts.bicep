// Alerts; docs/runbook.md says for each what it means, where to look first and how to mend it.
//
// What the function app finds out by itself it logs as a line with a field `alert`. What it cannot tell, because it
// does not run, is asked of its requests.

param suffix string
param location string
param tags object
param workspaceId string
param email string

// Words of the field `alert`. severity: 1 people wait or the promise is broken, 2 look today, 3 look this week.
var signals = [
  {
    word: 'subscription_missing'
    severity: 2
    means: 'Microsoft Graph has no subscription of ours: photos arrive by the sweep only, up to an hour late.'
  }
  {
    word: 'webhook_blind'
    severity: 2
    means: 'The sweep finds changes that no notification announced: photos arrive up to an hour late.'
  }
  {
    word: 'checks_waiting'
    severity: 1
    means: 'Checks wait in the queue longer than they should: propagate does not keep up or does not run.'
  }
  {
    word: 'agent_silent'
    severity: 1
    means: 'An agent has sent no heartbeat for too long: nothing is written to its target.'
  }
  {
    word: 'receipt_overdue'
    severity: 2
    means: 'Committed photos have had no receipt from a target for too long.'
  }
  {
    word: 'removals_surge'
    severity: 2
    means: 'More photos than usual are gone from Microsoft Graph at once. Targets keep them until the brake or an operator lets them go.'
  }
  {
    word: 'poison_not_empty'
    severity: 2
    means: 'Messages that could not be handled lie in a poison queue: those people are not up to date.'
  }
]

var queries = [
  {
    name: 'notify_failing'
    severity: 1
    means: 'The webhook answers Microsoft Graph with 5xx: hints are late or lost until the next sweep.'
    query: 'AppRequests | where Name == "notifications" and toint(ResultCode) >= 500'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sweep_absent'
    severity: 1
    means: 'No sweep has succeeded for three hours: the app does not run, or its logs do not arrive. No other alert can be relied on.'
    query: 'AppRequests | where Name == "sweep" and Success == true'
    window: 'PT3H'
    operator: 'LessThan'
    threshold: 1
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-photorelay-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'photorelay'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource signalRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for signal in signals: {
  name: 'photorelay-${suffix}-${signal.word}'
  location: location
  tags: tags
  properties: {
    displayName: 'photorelay ${suffix}: ${signal.word}'
    description: '${signal.means} See docs/runbook.md, ${signal.word}.'
    severity: signal.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    // The sweep logs them once an hour; two of them span a window, so that an alert closes after it is mended.
    windowSize: 'PT2H'
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'AppTraces | where Message startswith "{" and Message has "${signal.word}" | where tostring(parse_json(Message).alert) == "${signal.word}"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}]

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in queries: {
  name: 'photorelay-${suffix}-${rule.name}'
  location: location
  tags: tags
  properties: {
    displayName: 'photorelay ${suffix}: ${rule.name}'
    description: '${rule.means} See docs/runbook.md, ${rule.name}.'
    severity: rule.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}]
